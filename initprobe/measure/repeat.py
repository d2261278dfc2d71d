"""Compares two traces of one draw: what is not the same was not decided by the seed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from initprobe.records import Statistics, Trace, Unsteady

COMPARED = ("rms", "mean", "absmax")

ROUNDING = 1e-5
"""Relative to the RMS: sums in another order differ by 1e-7 of it, and depth makes that a hundred times more."""


def unsteady(first: Trace, second: Trace) -> tuple[Unsteady, ...]:
    """What differs by more than rounding between two traces of one seed.

    In the order in which one causes the other: parameters, the batch, then sites in execution order.
    """
    parameters = ({one.name: one.value for one in trace.parameters} for trace in (first, second))
    sites = ({one.key: one.forward for one in trace.sites} for trace in (first, second))
    return (
        *(Unsteady("parameter", *found) for found in _different(*parameters)),
        *(Unsteady("input", *found) for found in _different(first.inputs, second.inputs)),
        *(Unsteady("site", *found) for found in _different(*sites)),
    )


def _different(first: Mapping[str, Statistics], second: Mapping[str, Statistics]) -> Iterator[tuple[str, float, float]]:
    for name in dict.fromkeys((*first, *second)):
        one, other = first.get(name, {}), second.get(name, {})
        size = _number(one, "rms")
        if not one and not other and name in first and name in second:
            continue  # a parameter without elements has no value either time
        if not one or not other or not all(_same(one, other, each, size) for each in COMPARED):
            yield name, size, _number(other, "rms")


def _same(one: Statistics, other: Statistics, name: str, size: float) -> bool:
    left, right = _number(one, name), _number(other, name)
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    return left == right or abs(left - right) <= ROUNDING * max(abs(size), abs(left), abs(right))


def _number(statistics: Statistics, name: str) -> float:
    value = statistics.get(name)
    return float(value) if isinstance(value, int | float) else math.nan
