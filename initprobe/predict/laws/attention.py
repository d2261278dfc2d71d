"""Attention before any training: scores are small, so that every query mixes the values it sees nearly evenly.

With n visible keys, E (Σ a v)² = E v² e^s / n + (1 - e^s / n) E v v', where s is the variance of the scores: the mean
of e^2x over the squared mean of e^x is e^s for a normal score x (Dong et al. 2021, arXiv 2103.03404; Noci et al. 2022,
arXiv 2206.03126, section 3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.moments import Gradient, Moments, NoPredictionError
from initprobe.records import Signal

LARGE = 1.0
"""Variance of the scores from which on a few keys take all: no law of averages holds there."""


@law
class Attention(Law):
    """Scores, softmax and the mixing of values, in one call or written out."""

    crosses = True
    effects = ("attention",)

    def forward(self, call: Call) -> Moments:
        """The values, mixed."""
        if call.step.name == "attention" and len(call.step.args) < 3:
            raise NoPredictionError("nothing tells what it mixes")
        query, key, value = (call.moments(argument) for argument in call.step.args[:3])
        return mixed(call, value, concentration(call, query, key))

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """To each value what its queries got, and to queries and keys what comes back through the scores.

        A score moves the output by its weight a times how far its value lies from the others: E (∂L/∂s)² is
        a² · d · E g² · (E v² - E v v'), for d units of a head.
        """
        query, key, value = call.step.args[:3]
        factor = concentration(call, call.moments(query), call.moments(key))
        pattern, known = call.step.pattern, call.moments(value)
        apart = max(0.0, known.second - known.position)
        moved = pattern["scale"] ** 2 * pattern["width"] * gradient.second * apart * factor
        given: dict[int, Gradient] = {}
        for own, other, rows in ((query, key, pattern["row"]), (key, query, pattern["column"])):
            if isinstance(own, Signal):
                known = call.moments(other)
                spread = known.second - (known.position if own is query else 0.0)
                given[own.step] = Gradient(moved * rows * max(0.0, spread)).plus(given.get(own.step))
        if isinstance(value, Signal):
            given[value.step] = unmixed(call, gradient, factor).plus(given.get(value.step))
        return given


def concentration(call: Call, query: Moments, key: Moments) -> float:
    """e^s: how much more than evenly the scores mix.

    Raises:
        NoPredictionError: the scores vary too much, or nothing tells how they are made.
    """
    pattern = call.step.pattern
    if "row" not in pattern:
        raise NoPredictionError("nothing tells how it mixes")
    return scores(query, key, pattern["width"], pattern["scale"])


def scores(query: Moments, key: Moments, width: float, scale: float) -> float:
    """e^s for products over ``width`` units; a score that all keys of a query share moves nothing.

    Raises:
        NoPredictionError: the scores vary too much.
    """
    variance = width * scale**2 * query.second * max(0.0, key.second - key.position)
    if variance > LARGE:
        raise NoPredictionError(f"its scores vary by ±{math.sqrt(variance):.2g}: a few keys take all the weight")
    return math.exp(variance)


def mixed(call: Call, value: Moments, factor: float) -> Moments:
    """A value behind the mixing over positions."""
    pattern = call.step.pattern
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


def unmixed(call: Call, gradient: Gradient, factor: float) -> Gradient:
    """The gradient towards the values."""
    pattern = call.step.pattern
    kept = factor / (1.0 - pattern.get("dropout", 0.0))
    second = pattern["column"] * kept * gradient.second + pattern["column_cross"] * gradient.position
    # Two keys hear the same queries: what they get differs as far as the weights do.
    apart = pattern["column"] * gradient.second + pattern["column_cross"] * gradient.position
    return Gradient(second, min(second, apart), gradient.spread)
