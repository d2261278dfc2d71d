"""Networks whose layers read everything before them: concatenation instead of sums."""

from __future__ import annotations

import torch
from torch import nn

from initprobe.load.modules.normalization import ImageNorm, make_norm
from initprobe.load.modules.pointwise import MODULES


class DenseLayer(nn.Module):
    """Normalization, activation, 1x1 convolution, and again with a 3x3 convolution: a few new channels.

    Args:
        channels: of the input.
        growth: of the output.
        width: between the convolutions; 0 leaves the first one out.
        norm: kind of normalization.
        activation: name of the activation.
        dropout: probability, behind it all.
    """

    def __init__(
        self, channels: int, growth: int, width: int, *, norm: ImageNorm, activation: str, dropout: float
    ) -> None:
        super().__init__()
        steps = nn.Sequential()
        inputs = channels
        for number, (outputs, kernel) in enumerate([(width, 1), (growth, 3)] if width else [(growth, 3)], start=1):
            normalization = make_norm(norm, inputs)
            if normalization is not None:
                steps.add_module(f"norm{number}", normalization)
            steps.add_module(f"activation{number}", MODULES[activation]())
            steps.add_module(f"conv{number}", nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2, bias=norm == "none"))
            inputs = outputs
        if dropout:
            steps.add_module("dropout", nn.Dropout(dropout))
        self.steps = steps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The new channels."""
        made: torch.Tensor = self.steps(x)
        return made


class Concatenated(nn.Sequential):
    """Layers that read all channels before them, their own behind these."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """All channels."""
        features = [x]
        for layer in self:
            features.append(layer(torch.cat(features, 1)))
        return torch.cat(features, 1)


class UNet(nn.Module):
    """Up from what a bottom made of the way down, beside what the way down made itself."""

    def __init__(self, down: nn.Module, bottom: nn.Module, up: nn.Module) -> None:
        super().__init__()
        self.down = down
        self.bottom = bottom
        self.up = up

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """up(down(x), bottom(down(x)))."""
        skip: torch.Tensor = self.down(x)
        risen: torch.Tensor = self.up(torch.cat([skip, self.bottom(skip)], 1))
        return risen
