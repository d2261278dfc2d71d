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
from initprobe.report.streams import Side
from initprobe.report.visible import plot_text, visible

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
    """Where weights and residual joins made a value, in execution order; every site where there is neither."""
    distinct = [summary for summary in entry.sites if summary.site.alias_of is None]
    return [summary for summary in distinct if summary.site.kind in {"weighted", "embedding", "join"}] or distinct


def rms_at(summary: SiteSummary, side: Side) -> Point | None:
    """The RMS of the value or of its gradient; None where it was not measured."""
    statistics = summary.forward if side == "forward" else summary.backward
    found = (statistics or {}).get("rms")
    if not isinstance(found, Estimate):
        return None
    finite = [value for value in found.per_seed if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if len(finite) > 1 else (found.low, found.high)
    return Point(found.mean, low, high)


def site_groups(keys: Sequence[str]) -> list[Group]:
    """Neighbouring sites with the same path before its first index, as one group each."""
    runs = groupby(enumerate(keys), key=lambda item: _prefix(*item))
    return [_group([place for place, _ in run], keys) for _, run in runs]


def axis_label(key: str) -> str:
    """One site's name on an axis."""
    return plot_text(visible(site_label(key), 40))


def _prefix(place: int, key: str) -> tuple[str, int]:
    """What makes neighbours one group: the path before the first index; a site without one is alone."""
    found = _REPEATED.match(key)
    return (found["prefix"], -1) if found else ("", place)


def _group(places: Sequence[int], keys: Sequence[str]) -> Group:
    found = [_REPEATED.match(keys[place]) for place in places]
    indices = [int(match["index"]) for match in found if match]
    if len(places) == 1 or found[0] is None:
        return Group(axis_label(keys[places[0]]), places[0], places[-1])
    starts = dict(zip(reversed(indices), reversed(places), strict=True))  # the first site of each index stays
    prefix = found[0]["prefix"]
    label = f"{axis_label(prefix)}." if prefix else ""
    return Group(label + ranges(indices), places[0], places[-1], tuple(sorted(starts.items())))
