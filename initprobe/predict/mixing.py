"""Attention as an average over positions: what it does to moments and to gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping

from initprobe.predict.moments import Gradient, Moments, NoPredictionError

LARGE = 1.0
"""Variance of the scores from which on a few keys take all: no law of averages holds there."""


def scores(query: Moments, key: Moments, width: float, scale: float) -> float:
    """e^s for products over ``width`` units; a score that all keys of a query share moves nothing.

    Raises:
        NoPredictionError: the scores vary too much.
    """
    variance = width * scale**2 * query.second * max(0.0, key.second - key.position)
    if variance > LARGE:
        raise NoPredictionError(f"its scores vary by ±{math.sqrt(variance):.2g}: a few keys take all the weight")
    return math.exp(variance)


def mixed(pattern: Mapping[str, float], value: Moments, factor: float) -> Moments:
    """A value behind the mixing over positions."""
    row, cross = min(1.0, pattern["row"] * factor), pattern["cross"]
    kept = row / (1.0 - pattern.get("dropout", 0.0))
    return Moments(
        second=kept * value.second + (1.0 - row) * value.position,
        position=cross * value.second + (1.0 - cross) * value.position,
        pair=row * value.pair + (1.0 - row) * value.both,
        both=cross * value.pair + (1.0 - cross) * value.both,
        mean=value.mean,
        spread=value.spread,
    )


def unmixed(pattern: Mapping[str, float], gradient: Gradient, factor: float) -> Gradient:
    """The gradient towards the values."""
    kept = factor / (1.0 - pattern.get("dropout", 0.0))
    second = pattern["column"] * kept * gradient.second + pattern["column_cross"] * gradient.position
    # Two keys hear the same queries: what they get differs as far as the weights do.
    apart = pattern["column"] * gradient.second + pattern["column_cross"] * gradient.position
    return Gradient(second, min(second, apart), gradient.spread)
