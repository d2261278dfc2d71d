"""What rules about changes say of a difference: who moved, by how much, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from initprobe.check import wording
from initprobe.check.case import Case
from initprobe.records import Difference, Location, Shift

SAME = 1.005
"""Factors that differ by less read as one."""

NEAR = 0.01
"""Steps that are smaller need more digits to be seen."""


def places(case: Case) -> Mapping[str, tuple[str, Location | None]]:
    """For every parameter and call site, at what an ignore holds for it, and where it was built."""
    found = {site.key: (site.place, site.location) for site in case.facts.anatomy.sites}
    return {**found, **{weight.name: (weight.module, weight.location) for weight in case.facts.anatomy.weights}}


def apart(case: Case, names: Sequence[str]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], Location | None]]:
    """Names in their order with the paths that ignores hold for, and the first place that is known.

    What is suppressed stays apart from what is not. Of what is not there any more, the nearest place is that of what is
    left of the module that it was, or of the one around it.
    """
    known, groups = places(case), dict[str | None, list[str]]()
    for name in names:
        path, _ = known.get(name, (name, None))
        groups.setdefault(case.suppression([path]), []).append(name)
    for members in groups.values():
        found = [known.get(name, (name, None)) for name in members]
        own = (location for _, location in found if location is not None)
        near = (location for name in members for location in _around(known, name))
        where = next(own, None) or next(near, None)
        yield tuple(members), tuple(dict.fromkeys(path for path, _ in found)), where


def _around(known: Mapping[str, tuple[str, Location | None]], name: str) -> Iterator[Location]:
    while name:
        inside = (place for key, (_, place) in known.items() if key.startswith(f"{name}."))
        yield from (replace(place, approximate=True) for place in inside if place is not None)
        name = name.rpartition(".")[0]


def factors(shifts: Sequence[Shift]) -> str:
    """``×4.84 … ×4.92``: the smallest and the largest factor among all of them; empty where there is none."""
    known = [end for shift in shifts for end in (shift.low, shift.high) if not math.isnan(end)]
    if not known:
        return ""
    low, high = min(known), max(known)
    return f"×{_factor(low)}" + (f" … ×{_factor(high)}" if high > low * SAME else "")


def _factor(value: float) -> str:
    return f"{value:.4f}" if abs(value - 1) < NEAR else wording.gain(value)


def ends(shift: Shift) -> str:
    """``0.00408 → 0.0200``: before and after, at the first of them."""
    old, new = wording.gain(shift.old), wording.gain(shift.new)
    return f"{old} → {new}" if old != new else f"{shift.old:.6g} → {shift.new:.6g}"


def label(names: Sequence[str], noun: str) -> str:
    """The first and the last name, and how many there are."""
    return wording.span(names) + (f" ({wording.count(len(names), noun)})" if len(names) > 1 else "")


def evidence(found: Difference) -> str:
    """How many numbers of how many draws were compared, and what would have been seen."""
    old, new = found.seeds
    text = f"{wording.count(found.compared, 'number')} compared with {found.against}, {new} against "
    text += wording.count(old, "seed")
    if math.isfinite(found.resolution) and found.resolution > 1:
        text += f"; a new std is seen from ×{found.resolution:.2f} on"
    return text
