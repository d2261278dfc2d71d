"""Generators that are told a style: convolutions whose filters are scaled by it (StyleGAN2)."""

from __future__ import annotations

import torch
from torch import nn

from initprobe.load.modules.memory import Lender, Reader, lent

EPS = 1e-8
"""Added to the sum of squares of a filter, as in the paper."""


class ModulatedConv2d(Reader):
    """A convolution whose filters are scaled by a style, and then to unit length (Karras et al. 2020, eq. 1 to 3).

    Each sample has filters of its own, w'_ijk = s_i w_ijk and w''_ijk = w'_ijk / √(Σ_ik w'_ijk² + ε). Scaling the input
    channels by s and the output channels by the root computes the same with one convolution for the whole batch.

    Args:
        channels, out: of input and output.
        kernel: size of the kernel, an odd number.
        features: of the style.
        demodulate: whether filters are brought to unit length.
    """

    def __init__(self, channels: int, out: int, kernel: int, features: int, *, demodulate: bool) -> None:
        super().__init__()
        self.style = nn.Linear(features, channels)
        self.conv = nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False)
        self.bias = nn.Parameter(torch.zeros(out))
        self.demodulate = demodulate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) → (batch, out, height, width)."""
        scale = 1 + self.style(self.read())  # the paper's bias starts at one
        y: torch.Tensor = self.conv(x * scale[:, :, None, None])
        if self.demodulate:
            energy = self.conv.weight.square().sum((2, 3))
            length = (scale.square()[:, None, :] * energy).sum(2)
            y = y * torch.rsqrt(length + EPS)[:, :, None, None]
        return y + self.bias[:, None, None]


class StyleGenerator(Lender):
    """A learned constant becomes an image under the style that a mapping makes of the input.

    Args:
        mapping: (batch, ...) → (batch, features).
        synthesis: from the constant to the output; what reads a style inside reads the mapping's output.
        constant: its shape.
    """

    borrower = "synthesis"

    def __init__(self, mapping: nn.Module, synthesis: nn.Module, constant: tuple[int, ...]) -> None:
        super().__init__()
        self.mapping = mapping
        self.constant = nn.Parameter(torch.empty(constant))
        nn.init.normal_(self.constant)
        self.synthesis = synthesis

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What the synthesis puts out, one for each sample."""
        style = self.mapping(x)
        with lent(style, self.synthesis):
            out: torch.Tensor = self.synthesis(self.constant.expand(len(x), *self.constant.shape))
        return out
