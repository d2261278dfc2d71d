"""Reads a spec, checks it against the grammar, and takes out what the other rooms ask for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from initprobe.errors import Problem, SpecError
from initprobe.load.document import decode
from initprobe.load.extends import extend, find_files
from initprobe.load.grammar import (
    CheckSection,
    ProbeSection,
    SpecSchema,
    SweepSection,
    spec_schema,
)
from initprobe.load.init_grammar import InitSection, MatchMapping, SchemeMapping
from initprobe.load.limits import MAX_POINTS, MAX_PROBLEMS
from initprobe.load.loss_section import loss_text
from initprobe.load.parse import parse
from initprobe.load.reading import STDIN, read_bytes, shown_path
from initprobe.load.variables import assign, substitute
from initprobe.load.wording import problems_of
from initprobe.records import InitRequest, Override, SchemeChoice, Spec

AXES = tuple(str(field.alias) for field in SweepSection.model_fields.values())
"""What a sweep may go over besides variables."""


@dataclass(frozen=True, slots=True)
class Sections:
    """What a spec says besides its model.

    Attributes:
        spec: the document, which knows where everything stands.
        name: the spec's name, or that of its file.
        init: which scheme draws which weight; None where the spec does not say.
        probe: the given ones among the fields of ``ProbeRequest``, in its types.
        check: the given ones among the fields of ``CheckRequest``, in its types.
        compare: schemes to compare.
        sweep: dotted keys, and the values that a sweep gives them.
    """

    spec: Spec
    name: str
    init: InitRequest | None = None
    probe: Mapping[str, Any] = field(default_factory=dict)
    check: Mapping[str, Any] = field(default_factory=dict)
    compare: tuple[SchemeChoice, ...] = ()
    sweep: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)


def read_spec(source: str | Path, *, text: str | None = None, sets: Iterable[tuple[str, str]] = ()) -> Spec:
    """Read a document, with what it extends, ``--set`` applied and variables filled in.

    Args:
        source: a path, or ``-`` for standard input.
        text: the document itself, when it has been read already; ``source`` is then its name.
        sets: ``--set`` assignments: dotted key and text of a YAML value.

    Raises:
        UsageError: there is no such file, or an assignment leads nowhere.
        SpecError: the document is wrong; when its values cannot be read, what the grammar says is told with them.
    """
    file = shown_path(source)
    raw = text.encode("utf-8", "surrogatepass") if text is not None else read_bytes(source)
    document, folders = extend(parse(decode(raw, file), file), source, len(raw))
    assign(document, sets)
    find_files(document, folders)
    substitute(document)
    spec = document.spec()
    if document.problems:
        raise _error([*document.problems, *_problems(spec)], spec)
    return spec


def checked(spec: Spec) -> SpecSchema:
    """The spec as the grammar sees it.

    Raises:
        SpecError: the grammar does not allow it; every problem is told.
    """
    try:
        return spec_schema().model_validate(spec.values)
    except ValidationError as error:
        raise _error(problems_of(error, spec.values), spec) from None


def sections(spec: Spec) -> Sections:
    """What the spec says besides its model.

    Raises:
        SpecError: the grammar does not allow it; every problem is told.
    """
    schema = checked(spec)
    return Sections(
        spec=spec,
        name=schema.name or (Path(spec.file).stem if spec.file != STDIN else "stdin"),
        init=_init(schema.init) if "init" in schema.model_fields_set else None,
        probe=_probe(schema.probe),
        check=_check(schema.check),
        compare=tuple(map(_scheme, schema.compare or ())),
        sweep=_sweep(spec),
    )


def _problems(spec: Spec) -> list[Problem]:
    """What the grammar says."""
    try:
        checked(spec)
    except SpecError as error:
        return list(error.problems)
    return []


def _error(problems: list[Problem], spec: Spec) -> SpecError:
    """The problems in the order of the file, then those of what it extends; beyond the first fifty they are counted."""

    def position(problem: Problem) -> tuple[bool, str, int, int]:
        place = spec.locate(problem.path, on=problem.on)
        return place.file != spec.file, place.file, place.line, place.column

    told = sorted(problems, key=position)
    if len(told) > MAX_PROBLEMS:
        more = Problem(f"{len(told) - MAX_PROBLEMS} more problems below", told[MAX_PROBLEMS].path)
        told = [*told[:MAX_PROBLEMS], more]
    return SpecError(told, spec=spec)


def _scheme(scheme: str | SchemeMapping) -> SchemeChoice:
    if isinstance(scheme, str):
        return SchemeChoice(scheme)
    return SchemeChoice(scheme.scheme, tuple((scheme.model_extra or {}).items()))


def _init(section: InitSection) -> InitRequest:
    overrides = []
    for override in section.overrides:
        match = override.match if isinstance(override.match, MatchMapping) else MatchMapping(name=override.match)
        overrides.append(Override(_scheme(override.scheme), glob=match.name, layer_type=match.type))
    default = _scheme(section.default) if section.default is not None else None
    return InitRequest(default, tuple(overrides), tuple(section.only))


def _sweep(spec: Spec) -> dict[str, tuple[Any, ...]]:
    """The axes of the sweep.

    Raises:
        SpecError: an axis leads nowhere, or the grid is too large.
    """
    axes = spec.values.get("sweep") or {}
    known = [*(f"vars.{name}" for name in spec.values.get("vars", {})), *AXES]
    problems = [
        Problem(f"a sweep cannot go over {key!r}", ("sweep", key), _nearest_axis(key, known), "key")
        for key in axes
        if key not in known
    ]
    points = math.prod(map(len, axes.values()))
    if points > MAX_POINTS:
        problems.append(Problem(f"the grid has {points:,} points, at most {MAX_POINTS:,} are probed", ("sweep",)))
    if problems:
        raise _error(problems, spec)
    return {key: tuple(values) for key, values in axes.items()}


def _nearest_axis(key: str, known: list[str]) -> str:
    near = get_close_matches(key, known, n=1) or [one for one in known if one.endswith(f".{key}")]
    return f"did you mean {near[0]!r}?" if near else f"a sweep goes over {', '.join(known[:10])}"


def _probe(section: ProbeSection) -> dict[str, Any]:
    given = {key: getattr(section, key) for key in section.model_fields_set}
    if "seeds" in given:
        given["seeds"] = tuple(range(section.seeds) if isinstance(section.seeds, int) else section.seeds)
    if "loss" in given:
        given["loss"] = loss_text(section.loss)
    if "statistics" in given:
        given["statistics"] = tuple(section.statistics)
    return given


def _check(section: CheckSection) -> dict[str, Any]:
    values = {
        "select": tuple(section.select),
        "ignore": tuple(section.ignore),
        "fail_on": section.fail_on,
        "strict": section.strict,
        "precision": section.precision,
        "severities": tuple(section.severities.items()),
        "thresholds": tuple(
            (f"{quantity}.{level}", value)
            for quantity, levels in section.thresholds.items()
            for level, value in levels.items()
        ),
        "layer_ignores": tuple((glob, tuple(rules)) for glob, rules in section.layer_ignores.items()),
    }
    return {key: values[key] for key in section.model_fields_set}
