"""What stands on a depth axis: which call sites are drawn, and which names label them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from initprobe.records import Entry, Estimate, SiteSummary
from initprobe.report.layers import site_label
from initprobe.report.numbers import ranges
from initprobe.report.streams import Side, repeated_calls
from initprobe.report.visible import plot_text, visible

_CALLED = re.compile(r"(?P<path>[^#/]+?)(?:#(?P<call>[0-9]{1,9}))?(?P<output>(?:\[[0-9]+\])?)", re.DOTALL)
"""A call of a module, with its number from the second one on, and one of its outputs."""

_REPEATED = re.compile(r"(?P<prefix>.*?)(?:^|\.)(?P<index>[0-9]{1,9})(?:[.#/]|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Point:
    """A statistic at one site: its mean, and the range of its seeds (or its interval where seeds are not kept)."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbours on the axis that share a label.

    Attributes:
        label: ``block.0–49``.
        first, last: their places on the axis.
        starts: index and place of each repetition's first site; empty for a site without an index.
    """

    label: str
    first: int
    last: int
    starts: tuple[tuple[int, int], ...] = ()


def drawn_sites(entry: Entry) -> list[SiteSummary]:
    """Where weights and residual joins made a value, in execution order; every site where there is neither.

    The steps of a recurrent cell, where it runs more often than that.
    """
    distinct = [summary for summary in entry.sites if summary.site.alias_of is None]
    drawn = [summary for summary in distinct if summary.site.kind in {"weighted", "embedding", "join"}] or distinct
    steps = repeated_calls(distinct)
    return steps if len(steps) > len(drawn) else drawn


def rms_at(summary: SiteSummary, side: Side) -> Point | None:
    """The RMS of the value or of its gradient; None where it was not measured."""
    statistics = summary.forward if side == "forward" else summary.backward
    found = (statistics or {}).get("rms")
    if not isinstance(found, Estimate):
        return None
    finite = [value for value in found.per_seed if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if len(finite) > 1 else (found.low, found.high)
    return Point(found.mean, low, high)


def expected_at(summary: SiteSummary, side: Side) -> float | None:
    """The RMS that theory expects of the value or of its gradient, followed from the model's end to there."""
    found = summary.expected if side == "forward" else summary.expected_backward
    return None if found is None else found.accumulated


def site_groups(keys: Sequence[str]) -> list[Group]:
    """Neighbouring sites with the same path before its first index, as one group each."""
    runs = groupby(enumerate(keys), key=lambda item: _prefix(*item))
    return [_group([place for place, _ in run], keys) for _, run in runs]


def axis_label(key: str) -> str:
    """One site's name on an axis."""
    return plot_text(visible(site_label(key), 40))


def _prefix(place: int, key: str) -> tuple[str, int]:
    """What makes neighbours one group: the path before the first index; without one, the module that is called."""
    found = _REPEATED.match(key)
    called = _CALLED.fullmatch(key)
    if found is not None:
        return found["prefix"], -1
    return (called["path"] + called["output"], -2) if called else ("", place)


def _group(places: Sequence[int], keys: Sequence[str]) -> Group:
    if len(places) == 1:
        return Group(axis_label(keys[places[0]]), places[0], places[-1])
    found = [_REPEATED.match(keys[place]) for place in places]
    indices = [int(match["index"]) for match in found if match]
    first = found[0]
    if first is None:
        called = [one for one in (_CALLED.fullmatch(keys[place]) for place in places) if one]
        indices = [int(one["call"] or 1) for one in called]
        label = f"{axis_label(called[0]['path'])}#"
    else:
        label = f"{axis_label(first['prefix'])}." if first["prefix"] else ""
    starts = dict(zip(reversed(indices), reversed(places), strict=True))  # the first site of each index stays
    return Group(label + ranges(indices), places[0], places[-1], tuple(sorted(starts.items())))
