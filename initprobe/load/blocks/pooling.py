"""Pooling: by windows, to a given size, or over the whole plane."""

from __future__ import annotations

from collections.abc import Callable

import torch
from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import (
    Branch,
    Incoming,
    Layer,
    Misfit,
    PaddingPerAxis,
    PerAxis,
    block,
    per_axis,
    windows,
)

AXES = ("channels", "length"), ("channels", "height", "width"), ("channels", "depth", "height", "width")
"""Names of the axes that pooling over one, two and three axes takes."""


class Windows(Layer):
    """What pooling by windows has in common."""

    kernel: PerAxis = Field(description="Size of a window")
    stride: PerAxis | None = Field(default=None, description="Step of the window; its size when not given")
    padding: PaddingPerAxis = Field(default=0, description="Rows added on every side, at most half a window")

    def pool(self, incoming: Incoming, module: Callable[..., nn.Module], count: int) -> Branch:
        """The module for windows over that many axes."""
        channels, *sizes = incoming.axes(*AXES[count - 1])
        kernel = per_axis(self.kernel, count, "kernel")
        stride = kernel if self.stride is None else per_axis(self.stride, count, "stride")
        padding = per_axis(self.padding, count, "padding")
        if any(2 * added > size for added, size in zip(padding, kernel, strict=True)):
            raise Misfit("cannot have a padding of more than half its kernel", key="padding")
        left = windows(tuple(sizes), kernel, stride, padding)
        return Branch(module(kernel, stride, padding), incoming.signal.shaped(channels, *left))


@block("max_pool1d")
class MaxPool1d(Windows):
    """The largest value of every window over one axis; takes (channels, length)."""

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.MaxPool1d``."""
        return self.pool(incoming, nn.MaxPool1d, 1)


@block("max_pool2d")
class MaxPool2d(Windows):
    """The largest value of every window over two axes; takes (channels, height, width)."""

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.MaxPool2d``."""
        return self.pool(incoming, nn.MaxPool2d, 2)


@block("max_pool3d")
class MaxPool3d(Windows):
    """The largest value of every window over three axes; takes (channels, depth, height, width)."""

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.MaxPool3d``."""
        return self.pool(incoming, nn.MaxPool3d, 3)


@block("avg_pool1d")
class AvgPool1d(Windows):
    """The mean of every window over one axis; takes (channels, length)."""

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.AvgPool1d``."""
        return self.pool(incoming, nn.AvgPool1d, 1)


@block("avg_pool2d")
class AvgPool2d(Windows):
    """The mean of every window over two axes; takes (channels, height, width)."""

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.AvgPool2d``."""
        return self.pool(incoming, nn.AvgPool2d, 2)


@block("avg_pool3d")
class AvgPool3d(Windows):
    """The mean of every window over three axes; takes (channels, depth, height, width)."""

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.AvgPool3d``."""
        return self.pool(incoming, nn.AvgPool3d, 3)


class Adaptive(Layer):
    """What pooling to a given size has in common."""

    out: PerAxis = Field(description="Size of the output")

    def pool(self, incoming: Incoming, module: Callable[..., nn.Module], count: int) -> Branch:
        """The module for that many axes."""
        channels = incoming.axes(*AXES[count - 1])[0]
        out = per_axis(self.out, count, "out")
        return Branch(module(out), incoming.signal.shaped(channels, *out))


@block("adaptive_avg_pool1d")
class AdaptiveAvgPool1d(Adaptive):
    """Means that leave a given length; takes (channels, length)."""

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.AdaptiveAvgPool1d``."""
        return self.pool(incoming, nn.AdaptiveAvgPool1d, 1)


@block("adaptive_avg_pool2d")
class AdaptiveAvgPool2d(Adaptive):
    """Means that leave a given size; takes (channels, height, width)."""

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.AdaptiveAvgPool2d``."""
        return self.pool(incoming, nn.AdaptiveAvgPool2d, 2)


@block("adaptive_avg_pool3d")
class AdaptiveAvgPool3d(Adaptive):
    """Means that leave a given size; takes (channels, depth, height, width)."""

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.AdaptiveAvgPool3d``."""
        return self.pool(incoming, nn.AdaptiveAvgPool3d, 3)


class GlobalAveragePool(nn.Module):
    """(batch, channels, ...) → (batch, channels): the mean over every other axis."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The mean per channel."""
        return x.flatten(2).mean(2)


@block("global_avg_pool")
class GlobalAvgPool(Layer):
    """The mean of every channel; takes (channels, ...), leaves (channels,)."""

    def build(self, incoming: Incoming) -> Branch:
        """``GlobalAveragePool``."""
        incoming.last(2)
        return Branch(GlobalAveragePool(), incoming.signal.shaped(incoming.shape[0]))
