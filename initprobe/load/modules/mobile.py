"""The blocks of networks for phones: an inverted bottleneck around a depthwise convolution, squeeze and excitation."""

from __future__ import annotations

import torch
from torch import nn

from initprobe.load.modules.pointwise import MODULES


class SqueezeExcitation(nn.Module):
    """Scales every channel by what two layers make of all channels' means."""

    def __init__(self, channels: int, squeezed: int, activation: str, gate: str = "sigmoid") -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.activation = MODULES[activation]()
        self.expand = nn.Conv2d(squeezed, channels, 1)
        self.gate = MODULES[gate]()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The product."""
        scale: torch.Tensor = self.gate(self.expand(self.activation(self.reduce(self.pool(x)))))
        return scale * x


class InvertedResidual(nn.Module):
    """A body of layers, added to its input where both have one shape.

    Args:
        body: the layers.
        skip: whether the input is added.
        drop_path: drops the body for some of the samples.
    """

    def __init__(self, body: nn.Module, drop_path: nn.Module | None, *, skip: bool) -> None:
        super().__init__()
        self.body = body
        self.skip = skip
        self.drop_path = drop_path

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The branch, added to its input where both have one shape."""
        branch: torch.Tensor = self.body(x)
        if not self.skip:
            return branch
        return x + (branch if self.drop_path is None else self.drop_path(branch))
