"""Folds repeated layers: ``block.0.linear`` … ``block.49.linear`` become one row, ``block.0–49.linear``."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from initprobe.records import Entry, ParameterSummary, SiteSummary
from initprobe.report.numbers import ranges
from initprobe.report.options import Layers
from initprobe.report.visible import visible

_INDEX = re.compile(r"(?<![0-9])[0-9]{1,9}(?![0-9])")
Pattern = tuple[str, str, Hashable]
"""What stands before the integer, what stands behind it, and the structure."""

_KEY = re.compile(r"(?P<path>.*?)(?P<call>#[0-9]+)?(?P<output>\[[0-9]+\])?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Fold:
    """Names that differ in one integer: the label they share and their positions in the list they came from."""

    label: str
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LayerRow:
    """Call sites that read as one row, in execution order."""

    label: str
    sites: tuple[SiteSummary, ...]


@dataclass(frozen=True, slots=True)
class WeightRow:
    """Parameters that read as one row, in registration order."""

    label: str
    weights: tuple[ParameterSummary, ...]


def layer_rows(entry: Entry, layers: Layers = "grouped") -> tuple[LayerRow, ...]:
    """The rows of an entry's layer table, in execution order; sites that hold an earlier site's tensor are left out.

    ``grouped`` folds repeats of equal structure, ``flagged`` keeps of those the ones that a finding names, ``all``
    folds nothing.
    """
    sites = [summary for summary in entry.sites if summary.site.alias_of is None]
    names = [summary.site.key for summary in sites]
    if layers == "all":
        folds = [Fold(site_label(name), (place,)) for place, name in enumerate(names)]
    else:
        shapes = {summary.weight.name: summary.weight.shape for summary in entry.weights}
        folds = fold(names, [_structure(summary, shapes) for summary in sites])
    rows = [LayerRow(found.label, tuple(sites[place] for place in found.members)) for found in folds]
    if layers == "flagged":
        named = {key for finding in entry.findings if finding.suppressed is None for key in finding.sites}
        rows = [row for row in rows if any(summary.site.key in named for summary in row.sites)]
    return tuple(rows)


def weight_rows(entry: Entry, layers: Layers = "grouped") -> tuple[WeightRow, ...]:
    """The rows of an entry's weight table, in registration order."""
    names = [summary.weight.name for summary in entry.weights]
    if layers == "all":
        folds = [Fold(site_label(name), (place,)) for place, name in enumerate(names)]
    else:
        folds = fold(names, [_role(summary) for summary in entry.weights])
    return tuple(WeightRow(found.label, tuple(entry.weights[place] for place in found.members)) for found in folds)


def fold(names: Sequence[str], structures: Sequence[Hashable]) -> list[Fold]:
    """Fold names that differ in exactly one integer and have equal structures.

    A name may fit several patterns (a stage's index, a block's, a layer's); the pattern with the most members takes
    it, and of equal ones that whose integer is a whole part of the path, then the innermost. Folds come in the order
    of their first members; the rest stay alone.
    """
    patterns: dict[Pattern, list[tuple[int, int]]] = defaultdict(list)
    ranks: dict[Pattern, tuple[bool, int]] = {}
    for place, name in enumerate(_with_first_calls(names)):
        for found in _INDEX.finditer(name):
            pattern: Pattern = (name[: found.start()], name[found.end() :], structures[place])
            patterns[pattern].append((int(found[0]), place))
            ranks[pattern] = (not _whole(name, found), -found.start())
    label_of: dict[int, str] = {}
    members_of: dict[int, tuple[int, ...]] = {}
    for pattern in sorted(patterns, key=lambda key: (-len(patterns[key]), ranks[key])):
        free = {index: place for index, place in reversed(patterns[pattern]) if place not in label_of}
        if len(free) < 2:
            continue
        before, after, _ = pattern
        places = tuple(sorted(free.values()))
        label_of |= dict.fromkeys(places, f"{visible(before)}{ranges(list(free))}{visible(after)}")
        members_of[places[0]] = places
    for place, name in enumerate(names):
        if place not in label_of:
            label_of[place], members_of[place] = site_label(name), (place,)
    return [Fold(label_of[first], members_of[first]) for first in sorted(members_of)]


def site_label(key: str) -> str:
    """One name on its own; the model itself has an empty one."""
    return visible(key) or "(model)"


def _with_first_calls(names: Sequence[str]) -> list[str]:
    """Names in which the first of several calls (``cell``, before ``cell#2``) is numbered like the others."""
    known = set(names)
    numbered = []
    for name in names:
        parts = _KEY.fullmatch(name)
        if parts is None or parts["call"]:
            numbered.append(name)
            continue
        output = parts["output"] or ""
        numbered.append(f"{parts['path']}#1{output}" if f"{parts['path']}#2{output}" in known else name)
    return numbered


def _whole(name: str, found: re.Match[str]) -> bool:
    before, after = name[: found.start()], name[found.end() :]
    return before[-1:] in {"", ".", "#"} and after[:1] in {"", ".", "#", "[", "/"}


def _structure(summary: SiteSummary, shapes: dict[str, tuple[int, ...]]) -> Hashable:
    site = summary.site
    return (site.module_type, site.kind, summary.shape, summary.dtype, shapes.get(site.weight or ""))


def _role(summary: ParameterSummary) -> Hashable:
    weight = summary.weight
    uses = (str(weight.input_activation), str(weight.output_activation))
    fans = (weight.fan_in, weight.fan_out)
    place = (weight.attention, weight.recurrent, weight.gated, weight.tail, weight.head, weight.parts)
    return (weight.module_type, weight.role, weight.shape, fans, uses, place, summary.declared_std)
