"""Attention as an average over positions: what it does to moments and to gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from initprobe.predict.moments import Gradient, Moments, NoPredictionError
from initprobe.predict.softmax import Concentration, concentration

LARGE = 4.0
"""Variance of the scores from which on a few keys take all: which ones is a matter of the draw, for all units alike."""


@dataclass(frozen=True, slots=True)
class Scores:
    """How the scores of an attention mix.

    Attributes:
        made: what normal scores of their variance make of even weights.
        samples: correlation of the scores of two samples at the same query and key.
        queries: that of two queries at the same key.
    """

    made: Concentration
    samples: float
    queries: float

    def shared(self, even: float, correlation: float) -> float:
        """E Σ a a' of two weightings whose scores have that correlation, from what it is of even weights.

        It is exp(rho s) for many keys, where that of one weighting with itself is exp(s).
        """
        return min(1.0, even * math.pow(self.made.square, correlation))


def scores(query: Moments, key: Moments, pattern: Mapping[str, float], width: float, scale: float) -> Scores:
    """How a query mixes; a score that all of its keys share moves nothing.

    Args:
        query: one factor of the scores.
        key: the other.
        pattern: of the attention.
        width: units that a product runs over.
        scale: of the products.

    Raises:
        NoPredictionError: the scores vary too much.
    """
    told = max(0.0, key.second - key.position)
    variance = width * scale**2 * query.second * told
    if not variance <= LARGE:  # NaN is not
        raise NoPredictionError(f"its scores vary by ±{math.sqrt(variance):.2g}: a few keys take all the weight")
    if variance <= 0.0:
        return Scores(concentration(1.0, 0.0), 0.0, 0.0)
    samples = query.pair * (key.pair - key.both) / (query.second * told)
    queries = query.position / query.second
    made = concentration(max(1.0, 1.0 / pattern["row"]), variance)
    return Scores(made, min(1.0, max(0.0, samples)), min(1.0, max(0.0, queries)))


def mixed(pattern: Mapping[str, float], value: Moments, found: Scores) -> Moments:
    """A value behind the mixing over positions."""
    row, cross = found.shared(pattern["row"], 1.0), found.shared(pattern["cross"], found.queries)
    kept = row / (1.0 - pattern.get("dropout", 0.0))
    shared = found.shared(pattern["row"], found.samples)
    return Moments(
        second=kept * value.second + (1.0 - row) * value.position,
        position=cross * value.second + (1.0 - cross) * value.position,
        pair=shared * value.pair + (1.0 - shared) * value.both,
        both=cross * value.pair + (1.0 - cross) * value.both,
        mean=value.mean,
        spread=value.spread,
    )


def unmixed(pattern: Mapping[str, float], gradient: Gradient, found: Scores) -> Gradient:
    """The gradient towards the values."""
    kept = found.made.square / (1.0 - pattern.get("dropout", 0.0))
    crossed = pattern["column_cross"] * found.made.square**found.queries
    second = pattern["column"] * kept * gradient.second + crossed * gradient.position
    queries, keys = _extents(pattern)
    if keys <= 1.0:
        return Gradient(second, second, gradient.spread)
    # Two keys hear the same queries: what all of a row's weights give away, less what each key has alone.
    row, cross = found.shared(pattern["row"], 1.0), found.shared(pattern["cross"], found.queries)
    same, other = (1.0 - row) * gradient.second, (queries - 1.0) * (1.0 - cross) * gradient.position
    return Gradient(second, queries * (same + other) / (keys * (keys - 1.0)), gradient.spread)


def _extents(pattern: Mapping[str, float]) -> tuple[float, float]:
    """How many queries and keys there are: sums over rows and over columns are the same sums."""
    ratio = pattern["column"] / pattern["row"]
    queries = 1.0 + pattern["column_cross"] / (pattern["cross"] * ratio) if pattern["cross"] > 0.0 else 1.0
    return queries, queries / ratio


def through_scores(
    pattern: Mapping[str, float], gradient: Gradient, operands: tuple[Moments, Moments, Moments], found: Scores
) -> tuple[Gradient, Gradient]:
    """The gradients towards queries and keys.

    A score moves the output by its weight a times how far its value lies from the mixture: with d units of a head
    E (∂L/∂s)² is a² d E g² (E v² - E v v'), less what the value has of the mixture. The scores of a query sum to no
    gradient, so that it sees of keys what tells them apart, and the gradients of all keys sum to nothing.

    Args:
        pattern: of the attention.
        gradient: towards its output.
        operands: query, key, value.
        found: how it mixes.
    """
    query, key, value = operands
    apart = max(0.0, value.second - value.position)
    dropped = max(0.0, value.second / (1.0 - pattern.get("dropout", 0.0)) - value.position)
    moved = pattern["scale"] ** 2 * pattern["width"] * pattern["row_apart"] / pattern["row"]
    told = moved * max(0.0, key.second - key.position)
    own = found.made.apart
    both = found.made.cross * (own / found.made.cross) ** found.queries
    cross = min(own * pattern["row"], both * pattern["cross"])
    towards_query = Gradient(
        told * own * pattern["row"] * gradient.second * dropped, told * cross * gradient.position * apart
    )
    heard = own * pattern["column"] * gradient.second * query.second * dropped
    heard += both * pattern["column_cross"] * gradient.position * query.position * apart
    heard *= moved
    _, keys = _extents(pattern)
    return towards_query, Gradient(heard, -heard / (keys - 1.0) if keys > 1.0 else 0.0)
