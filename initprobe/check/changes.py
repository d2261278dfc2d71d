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


def apart(case: Case, names: Sequence[str]) -> Iterator[tuple[tuple[str, ...], Location | None]]:
    """Names that one finding may be about, in their order, and the first place that is known.

    Of what is not there any more, the nearest place is that of what is left of the module that it was, or of the one
    around it.
    """
    known = _located(case)
    for members in case.apart(names):
        own = (known[name] for name in members if name in known)
        near = (location for name in members for location in _around(known, name))
        yield members, next(own, None) or next(near, None)


def _located(case: Case) -> Mapping[str, Location]:
    """Where every call site and every parameter was built, as far as that is known."""
    sites = {site.key: site.location for site in case.facts.anatomy.sites}
    found = sites | {weight.name: weight.location for weight in case.facts.anatomy.weights}
    return {name: location for name, location in found.items() if location is not None}


def _around(known: Mapping[str, Location], name: str) -> Iterator[Location]:
    while name:
        inside = (place for key, place in known.items() if key.startswith(f"{name}."))
        yield from (replace(place, approximate=True) for place in inside)
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
