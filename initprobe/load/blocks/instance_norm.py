"""The normalization of every channel of every sample by itself."""

from __future__ import annotations

import math

from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import Branch, Flag, Incoming, Layer, Misfit, Positive, block


@block("instance_norm")
class InstanceNorm(Layer):
    """Normalizes every channel of every sample by itself; takes sequences, images and volumes, channels first."""

    eps: Positive = Field(default=1e-5, description="Added to the variance")
    affine: Flag = Field(default=False, description="Whether it scales and shifts by learned numbers")

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.InstanceNorm1d``, ``InstanceNorm2d`` or ``InstanceNorm3d``, by the shape."""
        axes = len(incoming.shape)
        if axes not in (2, 3, 4):
            raise Misfit(f"needs an input of two to four axes, here it is {incoming.shape}")
        channels, *sizes = incoming.shape
        if math.prod(sizes) == 1:
            raise Misfit(f"needs more than one value per channel, here it is {incoming.shape}")
        norm = {2: nn.InstanceNorm1d, 3: nn.InstanceNorm2d, 4: nn.InstanceNorm3d}[axes]
        return Branch(norm(channels, self.eps, affine=self.affine), incoming.signal)
