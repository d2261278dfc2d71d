"""Products, value by value: with a number, with a parameter (a gate, LayerScale), and of two signals (gated units).

Independent factors multiply their second moments.
"""

from __future__ import annotations

from collections.abc import Mapping

from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.moments import Gradient, Moments, NoPredictionError
from initprobe.records import Argument, Signal


@law
class Scaling(Law):
    """``x * y`` and ``x / number``."""

    names = ("mul", "div", "multiply", "divide", "neg")

    def forward(self, call: Call) -> Moments:
        """Its moments."""
        left, right = self._factors(call)
        known, other = call.moments(left), call.moments(right)
        if left == right:
            raise NoPredictionError("it squares a value")
        spread = known.spread + other.spread
        return Moments(
            known.second * other.second,
            known.position * other.position,
            known.pair * other.pair,
            known.both * other.both,
            known.mean * other.mean,
            spread,
        )

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """To each signal the gradient times the other factor."""
        left, right = self._factors(call)
        given = {}
        for own, other in ((left, right), (right, left)):
            if isinstance(own, Signal):
                factor = call.moments(other)
                share = call.share(own.step)
                reach = factor.position / factor.second if factor.second > 0.0 else 1.0
                if share > 1.0:  # spread over positions: what they have in common adds up in full
                    both = gradient.second * factor.second + (share - 1.0) * gradient.position * factor.position
                    given[own.step] = Gradient(share * both, 0.0, gradient.spread)
                else:
                    given[own.step] = gradient.scaled(factor.second * share, reach)
        return given

    def _factors(self, call: Call) -> tuple[Argument, Argument]:
        if call.step.name == "neg":
            return call.step.args[0], -1.0
        given = call.given("input", "other")
        left, right = given.get("input"), given.get("other")
        if call.step.name in {"div", "divide"}:
            if not isinstance(right, (int, float)) or not right:
                raise NoPredictionError("it divides by a tensor")
            right = 1.0 / right
        return left, right
