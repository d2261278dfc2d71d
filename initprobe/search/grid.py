"""The grid of a sweep: every combination of the values of its axes, each as ``--set`` would say it."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from initprobe.errors import UsageError
from initprobe.records import Entry, TargetRequest

SCHEME = "init.default"
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
RESERVED = frozenset({"true", "false", "null"})
"""Words that YAML reads as something else than text."""


@dataclass(frozen=True, slots=True)
class Point:
    """One combination.

    Attributes:
        sets: what is assigned, dotted key and the text of a YAML value.
    """

    sets: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """The assignment in short, without the scheme, which tables have beside it: ``depth=10, width=64``."""
        return ", ".join(f"{_short(key)}={text}" for key, text in self.sets if key != SCHEME)

    @property
    def scheme(self) -> str | None:
        """What it draws with; None where the sweep does not go over schemes."""
        return dict(self.sets).get(SCHEME)


def grid(axes: Mapping[str, Sequence[Any]], fixed: Collection[str] = ()) -> tuple[Point, ...]:
    """Every point, the last axis fastest.

    Args:
        axes: dotted key, and the values it takes.
        fixed: dotted keys that the command line decides: no axes any more.

    Raises:
        UsageError: nothing is left to go over.
    """
    if not axes:
        raise UsageError("there is no `sweep:` section", hint="write for example `sweep: {vars.depth: [10, 50]}`")
    left = {key: values for key, values in axes.items() if key not in fixed}
    if not left:
        raise UsageError(f"the command line decides {', '.join(axes)}: nothing is left to sweep over")
    combinations = itertools.product(*(map(_text, values) for values in left.values()))
    return tuple(Point(tuple(zip(left, values, strict=True))) for values in combinations)


def visit(
    points: Sequence[Point],
    request: TargetRequest,
    probe: Callable[[TargetRequest], Entry],
    listen: Callable[[str], None] = lambda _line: None,
) -> tuple[Entry, ...]:
    """Probe every point, one after the other; an entry is called after what its point assigns.

    Args:
        points: where to go.
        request: the spec that they are points of.
        probe: measures one of them; what cannot be probed is an entry, too.
        listen: hears where it is.

    Raises:
        UsageError: the spec cannot be read more than once.
    """
    if request.text == "-":
        raise UsageError("a sweep reads its spec once for every point, and standard input can be read once")
    entries = []
    for point in points:
        listen(", ".join(f"{key}={text}" for key, text in point.sets))
        entry = probe(replace(request, sets=(*request.sets, *point.sets)))
        scheme = point.scheme if entry.failure is not None and point.scheme else entry.scheme
        entries.append(replace(entry, name=point.name or entry.name, scheme=scheme))
    return tuple(entries)


def _text(value: Any) -> str:
    """A value as YAML."""
    if isinstance(value, str) and WORD.fullmatch(value) and value.lower() not in RESERVED:
        return value
    return json.dumps(value, ensure_ascii=False)


def _short(key: str) -> str:
    return key.rpartition(".")[2]
