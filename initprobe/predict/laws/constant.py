"""New tensors of one number, in the shape or of the kind of a signal: the first state of a recurrent network."""

from __future__ import annotations

from collections.abc import Mapping

from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.moments import Gradient, Moments


@law
class Constant(Law):
    """Zeros and ones that take nothing but their shape from a signal."""

    names = ("new_zeros", "zeros_like", "new_ones", "ones_like")

    def forward(self, call: Call) -> Moments:
        """The same number everywhere."""
        value = 1.0 if "ones" in call.step.name else 0.0
        return Moments(value, value, value, value, value)

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """Nothing: the values do not depend on the signal."""
        del call, gradient
        return {}
