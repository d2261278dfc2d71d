"""Roots of a continuous function of one number."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

LIMIT = 200
"""Steps; bisection alone needs 60 or so."""


def root(function: Callable[[float], float], low: float, high: float, tolerance: float = 1e-15) -> float:
    """A root between two points of opposite signs, by Chandrupatla's method.

    It bisects until inverse quadratic interpolation is safe (Chandrupatla 1997, A new hybrid quadratic/bisection
    algorithm for finding the zero of a nonlinear function without using derivatives).

    Args:
        function: continuous.
        low: one end.
        high: the other.
        tolerance: width of the bracket, relative to the root, at which it is found.

    Raises:
        ValueError: both ends have the same sign.
    """
    last, before, newest, oldest = high, low, function(high), function(low)
    if newest == 0.0 or oldest == 0.0:
        return high if newest == 0.0 else low
    if (newest > 0.0) == (oldest > 0.0):
        raise ValueError(f"no change of sign between {low} and {high}")
    third, at_third, share = before, oldest, 0.5
    for _ in range(LIMIT):
        point = last + share * (before - last)
        value = function(point)
        if (value > 0.0) == (newest > 0.0):
            third, at_third = last, newest
        else:
            third, at_third, before, oldest = before, oldest, last, newest
        last, newest = point, value
        best = last if abs(newest) < abs(oldest) else before
        width = abs(before - last)
        margin = (2.0 * tolerance * abs(best) + 5e-324) / width if width > 0.0 else 1.0
        if newest == 0.0 or margin > 0.5:
            return best
        share = min(max(_share(last, before, third, newest, oldest, at_third), margin), 1.0 - margin)
    return best


def brackets(points: Sequence[float], values: Sequence[float]) -> list[tuple[float, float]]:
    """Neighbouring points between which the values change their sign; values that are no numbers end a stretch."""
    pairs = zip(pairwise(points), pairwise(values), strict=True)
    return [ends for ends, (one, other) in pairs if math.isfinite(one * other) and (one > 0.0) != (other > 0.0)]


def _share(last: float, before: float, third: float, newest: float, oldest: float, at_third: float) -> float:
    """How far to step from the last point to the one before: by interpolation where that is safe, else half of it."""
    place = (last - before) / (third - before)
    height = (newest - oldest) / (at_third - oldest)
    if not 1.0 - math.sqrt(1.0 - place) < height < math.sqrt(place):
        return 0.5
    first = newest / (oldest - newest) * at_third / (oldest - at_third)
    second = (third - last) / (before - last) * newest / (at_third - newest) * oldest / (at_third - oldest)
    return first + second
