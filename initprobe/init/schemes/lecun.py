"""LeCun's rule: a unit's weights together have variance one."""

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

REFERENCE = "LeCun, Bottou, Orr & Müller 1998, Efficient BackProp, section 4.6"
WHEN = "for linear units, selu, and activations scaled to unit second moment; each relu layer halves the second moment"


@register
class LecunNormal(WeightScheme):
    """N(0, gain² / fan_in)."""

    card = SchemeCard(
        name="lecun_normal",
        family="classical",
        summary="normal with variance 1 / fan_in",
        formula="W ~ N(0, gain² / fan_in)",
        assumes="inputs of variance 1 and activations that act like the identity, or selu",
        when=WHEN,
        reference=REFERENCE,
        aliases=("lecun",),
    )
    distribution: ClassVar[Distribution] = "normal"

    gain: Factor = Field(1.0, description="multiplies the standard deviation")

    def declared_std(self, weight: Weight) -> float:
        """The gain over √fan_in."""
        return scaled_std(weight, "fan_in", self.gain)

    def draw(self, weight: Weight, variates: Variates) -> Tensor:
        """Numbers of the declared standard deviation."""
        return draw(variates, weight.shape, self.distribution, self.declared_std(weight))


@register
class LecunUniform(LecunNormal):
    """U(-limit, limit) with the same variance."""

    card = SchemeCard(
        name="lecun_uniform",
        family="classical",
        summary="uniform with variance 1 / fan_in",
        formula="W ~ U(-limit, limit), limit = gain · √(3 / fan_in)",
        assumes="inputs of variance 1 and activations that act like the identity, or selu",
        when=WHEN,
        reference=REFERENCE,
    )
    distribution: ClassVar[Distribution] = "uniform"
