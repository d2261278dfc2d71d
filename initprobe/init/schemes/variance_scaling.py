"""The family behind LeCun, Xavier and Kaiming, with every part of it an option."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.distributions import Distribution, draw
from initprobe.init.fans import Factor, Gain, Mode, scaled_std
from initprobe.init.schemes.base import SchemeCard, WeightScheme, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.variates import Variates


@register
class VarianceScaling(WeightScheme):
    """Variance scale · gain² / fan, from one of three distributions."""

    card = SchemeCard(
        name="variance_scaling",
        family="classical",
        summary="variance scale · gain² / fan, the gain integrated for each layer's own activation",
        formula="Var W = scale · gain² / fan; auto gain: 1 / √(E f²) for fan_in, 1 / √(E f'²) for fan_out, "
        "2 / (fan_in · E f² + fan_out · E f'²) in place of gain² / fan for fan_avg",
        assumes="independent zero-mean weights, biases zero, pre-activations of variance 1 before every activation",
        when="for any activation, mixed ones included: each weight gets the gain of the activation next to it",
        reference="the form behind LeCun 1998, Glorot & Bengio 2010, He et al. 2015; options of jax.nn.initializers",
    )

    scale: Factor = Field(1.0, description="multiplies the variance")
    mode: Mode = Field("fan_in", description="fan_in keeps the signal, fan_out the gradient, fan_avg meets halfway")
    distribution: Distribution = Field("normal", description="truncated_normal is cut off at two sigmas, then rescaled")
    gain: Gain = Field("auto", description="auto: from the activation beside the weight, 1 where there is none")

    def declared_std(self, weight: Weight) -> float:
        """√scale · gain / √fan."""
        return math.sqrt(self.scale) * scaled_std(weight, self.mode, self.gain)

    def draw(self, weight: Weight, variates: Variates) -> Tensor:
        """Numbers of the declared standard deviation."""
        return draw(variates, weight.shape, self.distribution, self.declared_std(weight))
