"""Images made larger without weights: by interpolation, or by channels that become pixels; and back."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import Branch, Count, Incoming, Layer, Misfit, block

SMOOTH = {1: "linear", 2: "bilinear", 3: "trilinear"}
"""Torch's name of linear interpolation over that many axes."""


@block("upsample")
class Upsample(Layer):
    """Makes every axis behind the channels longer by interpolation; takes (channels, ...) of up to three axes."""

    factor: Count = Field(default=2, description="How many times as long")
    mode: Literal["nearest", "linear", "cubic"] = Field(
        default="nearest", description="Repeated values, or interpolated ones; cubic takes (channels, height, width)"
    )

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.Upsample``."""
        channels, *sizes = incoming.last(len(incoming.shape) or 1)
        if not 1 <= len(sizes) <= 3:
            raise Misfit(f"needs an input of channels and one, two or three axes, here it is {incoming.shape}")
        if self.mode == "cubic" and len(sizes) != 2:
            raise Misfit(f"cubic needs (channels, height, width), here it is {incoming.shape}", key="mode")
        mode = {"nearest": "nearest", "linear": SMOOTH[len(sizes)], "cubic": "bicubic"}[self.mode]
        module = nn.Upsample(scale_factor=self.factor, mode=mode)
        return Branch(module, incoming.signal.shaped(channels, *(size * self.factor for size in sizes)))


@block("pixel_shuffle")
class PixelShuffle(Layer):
    """Makes a square of pixels of factor² channels; takes (channels, height, width)."""

    factor: Count = Field(default=2, description="Pixels on a side of the square")

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.PixelShuffle``."""
        channels, height, width = incoming.axes("channels", "height", "width")
        if channels % self.factor**2:
            raise Misfit(f"needs channels ({channels}) that {self.factor}² divides", key="factor")
        shape = channels // self.factor**2, height * self.factor, width * self.factor
        return Branch(nn.PixelShuffle(self.factor), incoming.signal.shaped(*shape))


@block("pixel_unshuffle")
class PixelUnshuffle(Layer):
    """Makes factor² channels of every square of pixels; takes (channels, height, width)."""

    factor: Count = Field(default=2, description="Pixels on a side of the square")

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.PixelUnshuffle``."""
        channels, height, width = incoming.axes("channels", "height", "width")
        if height % self.factor or width % self.factor:
            raise Misfit(f"needs sizes that {self.factor} divides, here it is {incoming.shape}", key="factor")
        shape = channels * self.factor**2, height // self.factor, width // self.factor
        return Branch(nn.PixelUnshuffle(self.factor), incoming.signal.shaped(*shape))
