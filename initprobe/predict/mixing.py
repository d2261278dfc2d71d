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
    queries, keys = _extents(pattern)
    if keys <= 1.0:
        return Gradient(second, second, gradient.spread)
    # Two keys hear the same queries: what all of a row's weights give away, less what each key has alone.
    row = min(1.0, pattern["row"] * factor)
    same, other = (1.0 - row) * gradient.second, (queries - 1.0) * (1.0 - pattern["cross"]) * gradient.position
    return Gradient(second, queries * (same + other) / (keys * (keys - 1.0)), gradient.spread)


def _extents(pattern: Mapping[str, float]) -> tuple[float, float]:
    """How many queries and keys there are: sums over rows and over columns are the same sums."""
    ratio = pattern["column"] / pattern["row"]
    queries = 1.0 + pattern["column_cross"] / (pattern["cross"] * ratio) if pattern["cross"] > 0.0 else 1.0
    return queries, queries / ratio


def through_scores(
    pattern: Mapping[str, float], gradient: Gradient, operands: tuple[Moments, Moments, Moments], factor: float
) -> tuple[Gradient, Gradient]:
    """The gradients towards queries and keys.

    A score moves the output by its weight a times how far its value lies from the mixture: with d units of a head
    E (∂L/∂s)² is a² d E g² (E v² - E v v'), less what the value has of the mixture. The scores of a query sum to no
    gradient, so that it sees of keys what tells them apart, and the gradients of all keys sum to nothing.

    Args:
        pattern: of the attention.
        gradient: towards its output.
        operands: query, key, value.
        factor: e^s.
    """
    query, key, value = operands
    apart = max(0.0, value.second - value.position)
    dropped = max(0.0, value.second / (1.0 - pattern.get("dropout", 0.0)) - value.position)
    moved = pattern["scale"] ** 2 * pattern["width"] * factor * pattern["row_apart"] / pattern["row"]
    told = moved * max(0.0, key.second - key.position)
    near = min(1.0 / factor, pattern["cross"] / pattern["row"] / factor)
    towards_query = Gradient(
        told * pattern["row"] * gradient.second * dropped, told * pattern["row"] * near * gradient.position * apart
    )
    heard = pattern["column"] * gradient.second * query.second * dropped
    heard = moved * (heard + pattern["column_cross"] * gradient.position * query.position * apart)
    _, keys = _extents(pattern)
    return towards_query, Gradient(heard, -heard / (keys - 1.0) if keys > 1.0 else 0.0)
