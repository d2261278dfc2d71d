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

    effects = ("attention",)

    def forward(self, call: Call) -> Moments:
        """The values, mixed."""
        if call.step.name == "attention" and len(call.step.args) < 3:
            raise NoPredictionError("nothing tells what it mixes")
        query, key, value = (call.moments(argument) for argument in call.step.args[:3])
        return mixed(call, value, concentration(call, query, key))

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """To each value what its queries got; what comes back through the scores is smaller and left out."""
        query, key, value = call.step.args[:3]
        if not isinstance(value, Signal):
            return {}
        factor = concentration(call, call.moments(query), call.moments(key))
        return {value.step: unmixed(call, gradient, factor)}


def concentration(call: Call, query: Moments, key: Moments) -> float:
    """e^s: how much more than evenly the scores mix.

    Raises:
        NoPredictionError: the scores vary too much.
    """
    pattern = call.step.pattern
    if "row" not in pattern:
        raise NoPredictionError("nothing tells how it mixes")
    variance = pattern["width"] * pattern["scale"] ** 2 * query.second * key.second
    if variance > LARGE:
        raise NoPredictionError(f"its scores vary by ±{math.sqrt(variance):.2g}: a few keys take all the weight")
    return math.exp(variance)


def mixed(call: Call, value: Moments, factor: float) -> Moments:
    """A value behind the mixing over positions."""
    pattern = call.step.pattern
    row, cross = min(1.0, pattern["row"] * factor), pattern["cross"]
    return Moments(
        second=row * value.second + (1.0 - row) * value.position,
        position=cross * value.second + (1.0 - cross) * value.position,
        pair=row * value.pair + (1.0 - row) * value.both,
        both=cross * value.pair + (1.0 - cross) * value.both,
        mean=value.mean,
        spread=value.spread,
    )


def unmixed(call: Call, gradient: Gradient, factor: float) -> Gradient:
    """The gradient towards the values."""
    pattern = call.step.pattern
    second = pattern["column"] * factor * gradient.second + pattern["column_cross"] * gradient.position
    # Two keys hear the same queries: what they get differs as far as the weights do.
    apart = pattern["column"] * gradient.second + pattern["column_cross"] * gradient.position
    return Gradient(second, min(second, apart), gradient.spread)
