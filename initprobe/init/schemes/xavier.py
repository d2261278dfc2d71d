"""Xavier (Glorot): the compromise between a signal and a gradient that both keep their size in linear layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from initprobe.init.distributions import Distribution, draw
from initprobe.init.fans import Factor, scaled_std
from initprobe.init.schemes.base import SchemeCard, WeightScheme, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.variates import Variates

REFERENCE = "Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward networks, eq. 12 and 16"
WHEN = "for linear units, and tanh in shallow networks; each relu layer halves the second moment"


@register
class XavierNormal(WeightScheme):
    """N(0, gain² · 2 / (fan_in + fan_out))."""

    card = SchemeCard(
        name="xavier_normal",
        family="classical",
        summary="normal with variance 2 / (fan_in + fan_out)",
        formula="W ~ N(0, gain² · 2 / (fan_in + fan_out))",
        assumes="linear units (tanh near zero), biases zero; the variance is a compromise where fan_in and fan_out "
        "differ",
        when=WHEN,
        reference=REFERENCE,
        aliases=("xavier", "glorot", "glorot_normal"),
    )
    distribution: ClassVar[Distribution] = "normal"

    gain: Factor = Field(1.0, description="multiplies the standard deviation")

    def declared_std(self, weight: Weight) -> float:
        """The gain times √(2 / (fan_in + fan_out))."""
        return scaled_std(weight, "fan_avg", self.gain)

    def draw(self, weight: Weight, variates: Variates) -> Tensor:
        """Numbers of the declared standard deviation."""
        return draw(variates, weight.shape, self.distribution, self.declared_std(weight))


@register
class XavierUniform(XavierNormal):
    """U(-limit, limit) with the same variance."""

    card = SchemeCard(
        name="xavier_uniform",
        family="classical",
        summary="uniform with variance 2 / (fan_in + fan_out)",
        formula="W ~ U(-limit, limit), limit = gain · √(6 / (fan_in + fan_out))",
        assumes="linear units (tanh near zero), biases zero; the variance is a compromise where fan_in and fan_out "
        "differ",
        when=WHEN,
        reference=REFERENCE,
        aliases=("glorot_uniform",),
    )
    distribution: ClassVar[Distribution] = "uniform"
