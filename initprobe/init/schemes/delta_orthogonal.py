"""Delta-orthogonal: convolutions that keep the length of every image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.distributions import haar
from initprobe.init.fans import Gain, input_gain
from initprobe.init.kernels import Kernel, kernel_of
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class DeltaOrthogonal(Scheme):
    """A semi-orthogonal matrix at the middle tap of each group, and zeros elsewhere."""

    card = SchemeCard(
        name="delta_orthogonal",
        family="convolution",
        summary="convolutions that are isometries of images: a semi-orthogonal matrix at the middle tap, else zeros",
        formula="W[:, :, k // 2] = gain · Q with Qᵀ Q = 1, and 0 elsewhere, in each group; linear layers and gates are "
        "gain · Q",
        assumes="at least as many outputs as inputs, per group; odd kernels and padding that does not cut the middle "
        "tap off. Of fewer outputs the rows are orthonormal, and length is lost; the weight's note says so",
        when="for very deep plain convolutional networks, tanh above all, where orthogonal kernels lose the signal; "
        "a convolution first sees single pixels, and has to learn to look around",
        reference="Xiao et al. 2018, Dynamical Isometry and a Mean Field Theory of CNNs (arXiv 1806.05393), the "
        "delta-orthogonal algorithm",
    )

    gain: Gain = Field(
        "auto", description="auto: 1 / √(E f²) of the activation before the weight, 1 where there is none"
    )

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Haar-distributed matrices, float64.

        Raises:
            UndrawableError: the weight is no matrix and no convolution, or no signal passes the activation before it.
        """
        kernel = kernel_of(weight, network)
        gain = input_gain(weight) if self.gain == "auto" else self.gain
        matrices = haar(kernel.middle(variates.normal(weight.shape)))
        share = math.prod(kernel.taps) * max(kernel.outputs, kernel.inputs)
        return Filled(kernel.at_middle(matrices).mul_(gain), gain / math.sqrt(share), note=_lost(kernel))


def _lost(kernel: Kernel) -> str | None:
    """What keeps the layer from being an isometry, as far as its weight tells."""
    told = []
    if kernel.outputs < kernel.inputs:
        told.append(f"no isometry: {kernel.inputs} inputs do not fit into {kernel.outputs} outputs")
    if kernel.even:
        told.append("an even kernel has no middle tap: the output is shifted")
    return "; ".join(told) or None
