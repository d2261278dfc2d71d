"""ZerO: identities, Hadamard matrices and zeros, and nothing random."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.distributions import constant
from initprobe.init.kernels import kernel_of
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class ZeroIdentity(Scheme):
    """The identity where a layer keeps its width or narrows, a piece of a Hadamard matrix where it widens."""

    card = SchemeCard(
        name="zero_identity",
        family="residual",
        summary="identities where a layer does not widen, Hadamard matrices where it does, zeros where a branch ends",
        formula="m outputs of n inputs: W = I* for m <= n, W = c · I* H I* for m > n, with H the Hadamard matrix of "
        "size 2^⌈log₂ m⌉, c = 2^(-⌈log₂ m⌉ / 2) and I* a partial identity; convolutions at the middle tap of each "
        "group; the last weights of residual branches 0",
        assumes="a residual network: without branches every layer just hands on or mixes its inputs; c is that of the "
        "authors' code, which makes the columns orthonormal when m is a power of two (the paper prints another power)",
        when="to have nothing random in the weights, and for very deep residual networks; embeddings stay N(0, 1), for "
        "a table of equal rows tells no tokens apart",
        reference="Zhao, Schäfer & Anandkumar 2022, ZerO Initialization (arXiv 2110.12661), algorithms 1 and 2",
        aliases=("ZerO",),
    )

    tails: bool = Field(
        default=True, description="the last weights of residual branches are zero; False: they are like all others"
    )

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:  # noqa: ARG002 - no draw
        """Numbers without a draw.

        Raises:
            UndrawableError: the weight is no matrix and no convolution.
        """
        if self.tails and weight.tail:
            return Filled(constant(weight.shape, 0.0), 0.0)
        kernel = kernel_of(weight, network)
        matrix = spread(kernel.outputs, kernel.inputs)
        note = "an even kernel has no middle tap: the output is shifted" if kernel.even else None
        return Filled(kernel.at_middle(matrix.expand(kernel.groups, -1, -1)), None, note=note)


def spread(outputs: int, inputs: int) -> Tensor:
    """A partial identity, or the upper left corner of a Hadamard matrix that is scaled to orthogonality, float64.

    The whole matrix is never made: its entry (i, j) is minus one to the number of ones that i and j have in common.
    """
    import torch

    if outputs <= inputs:
        return torch.eye(outputs, inputs, dtype=torch.float64)
    bits = (outputs - 1).bit_length()
    common = torch.arange(outputs).unsqueeze(1) & torch.arange(inputs)
    shift = 32
    while shift:
        common ^= common >> shift
        shift //= 2
    signs = 1.0 - 2.0 * (common & 1).double()
    return signs.mul_(2.0 ** (-bits / 2))
