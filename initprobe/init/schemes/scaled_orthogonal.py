"""Scaled uniform orthogonal (SUO): orthogonal matrices that keep the signal per unit whatever their shape."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.distributions import haar
from initprobe.init.fans import Gain, input_gain
from initprobe.init.kernels import CONVOLUTIONS, from_matrix, kernel_of, matrix_of
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class ScaledOrthogonal(Scheme):
    """Haar-distributed semi-orthogonal matrices, scaled up where there are more outputs than inputs."""

    card = SchemeCard(
        name="scaled_orthogonal",
        family="classical",
        summary="semi-orthogonal, and scaled so that layers of every shape keep the signal per unit",
        formula="W = gain · max(√(outputs / inputs), 1) · Q with Q Qᵀ = 1 or Qᵀ Q = 1; a convolution has it at the "
        "middle tap of each group, and zeros elsewhere",
        assumes="inputs that point in no special direction where a layer gets narrower; circular padding or one that "
        "does not cut the middle tap off",
        when="in place of orthogonal where widths change; with activations that are transformed to second moment 1 "
        "(DKS, TAT) the gain is 1, and auto finds just that",
        reference="Martens et al. 2021, Rapid training of deep neural networks without skip connections or "
        "normalization layers using Deep Kernel Shaping (arXiv 2110.01765), on scaled uniform orthogonal weights",
        aliases=("suo",),
    )

    gain: Gain = Field(
        "auto", description="auto: 1 / √(E f²) of the activation before the weight, 1 where there is none"
    )
    delta: bool = Field(
        default=True, description="convolutions at the middle tap alone; False: over all taps, as rows of patches"
    )

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Semi-orthogonal matrices, float64.

        Raises:
            UndrawableError: the weight has no rows and columns, or no signal passes the activation before it.
        """
        gain = input_gain(weight) if self.gain == "auto" else self.gain
        numbers = variates.normal(weight.shape).double()
        if self.delta and weight.role in CONVOLUTIONS:
            kernel = kernel_of(weight, network)
            scale = gain * max(math.sqrt(kernel.outputs / kernel.inputs), 1.0)
            values = kernel.at_middle(haar(kernel.middle(numbers))).mul_(scale)
            share = math.prod(kernel.taps) * max(kernel.outputs, kernel.inputs)
            return Filled(values, scale / math.sqrt(share))
        matrix = matrix_of(weight, numbers)
        scale = gain * max(math.sqrt(matrix.shape[0] / matrix.shape[1]), 1.0)
        return Filled(from_matrix(weight, haar(matrix)).mul_(scale), scale / math.sqrt(max(matrix.shape)))
