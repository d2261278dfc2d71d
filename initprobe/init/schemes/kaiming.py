"""Kaiming (He): the variance that makes up for the half that a rectifier takes away."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from initprobe.init.distributions import Distribution, draw
from initprobe.init.fans import Mode, scaled_std
from initprobe.init.schemes.base import SchemeCard, WeightScheme, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.variates import Variates

REFERENCE = "He et al. 2015, Delving Deep into Rectifiers (arXiv 1502.01852), eq. 10 and 14"
WHEN = "for relu and its kin; the gain is a rectifier's on every layer, whatever activation stands there"


@register
class KaimingNormal(WeightScheme):
    """N(0, gain² / fan) with the rectifier's gain."""

    card = SchemeCard(
        name="kaiming_normal",
        family="classical",
        summary="normal with variance 2 / fan_in",
        formula="W ~ N(0, gain² / fan), gain² = 2 / (1 + negative_slope²)",
        assumes="independent zero-mean weights, biases zero, pre-activations symmetric around zero, a rectifier "
        "before every layer",
        when=WHEN,
        reference=REFERENCE,
        aliases=("he", "kaiming", "he_normal"),
    )
    distribution: ClassVar[Distribution] = "normal"

    mode: Mode = Field("fan_in", description="fan_in keeps the signal, fan_out the gradient, fan_avg meets halfway")
    negative_slope: float = Field(0.0, description="slope of the leaky rectifier below zero")

    def declared_std(self, weight: Weight) -> float:
        """√(2 / (1 + negative_slope²)) / √fan."""
        return scaled_std(weight, self.mode, math.sqrt(2.0 / (1.0 + self.negative_slope**2)))

    def draw(self, weight: Weight, variates: Variates) -> Tensor:
        """Numbers of the declared standard deviation."""
        return draw(variates, weight.shape, self.distribution, self.declared_std(weight))


@register
class KaimingUniform(KaimingNormal):
    """U(-limit, limit) with the same variance."""

    card = SchemeCard(
        name="kaiming_uniform",
        family="classical",
        summary="uniform with variance 2 / fan_in",
        formula="W ~ U(-limit, limit), limit = gain · √(3 / fan), gain² = 2 / (1 + negative_slope²)",
        assumes="independent zero-mean weights, biases zero, pre-activations symmetric around zero, a rectifier "
        "before every layer",
        when=WHEN,
        reference=REFERENCE,
        aliases=("he_uniform",),
    )
    distribution: ClassVar[Distribution] = "uniform"
