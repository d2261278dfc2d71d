"""Transposed convolutions over one, two and three axes: they make a signal larger."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import (
    Branch,
    Count,
    Flag,
    Incoming,
    Layer,
    Misfit,
    PaddingPerAxis,
    PerAxis,
    block,
    per_axis,
)

AXES = ("channels", "length"), ("channels", "height", "width"), ("channels", "depth", "height", "width")
"""Names of the axes that transposed convolutions over one, two and three axes take."""


class Transposed(Layer):
    """What transposed convolutions have in common."""

    out: Count = Field(description="Number of output channels")
    kernel: PerAxis = Field(description="Size of the kernel")
    stride: PerAxis = Field(default=1, description="Distance between the kernels that are laid down")
    padding: PaddingPerAxis = Field(default=0, description="Rows cut off on every side")
    output_padding: PaddingPerAxis = Field(
        default=0, description="Rows added at the end of every axis, fewer than the stride or the dilation"
    )
    dilation: PerAxis = Field(default=1, description="Distance between the points of the kernel")
    groups: Count = Field(default=1, description="Number of groups of channels that do not mix")
    bias: Flag = Field(default=True, description="Whether it adds a bias")

    def transpose(self, incoming: Incoming, module: Callable[..., nn.Module], count: int) -> Branch:
        """The module for that many axes."""
        channels, *sizes = incoming.axes(*AXES[count - 1])
        if channels % self.groups or self.out % self.groups:
            message = f"needs channels in ({channels}) and out ({self.out}) that {self.groups} groups divide"
            raise Misfit(message, key="groups")
        kernel, stride = per_axis(self.kernel, count, "kernel"), per_axis(self.stride, count, "stride")
        dilation, cut = per_axis(self.dilation, count, "dilation"), per_axis(self.padding, count, "padding")
        added = per_axis(self.output_padding, count, "output_padding")
        if any(rows >= max(stride[axis], dilation[axis]) for axis, rows in enumerate(added)):
            message = f"needs an output_padding below its stride {stride} or its dilation {dilation}"
            raise Misfit(message, key="output_padding")
        left = tuple(
            (size - 1) * stride[axis] - 2 * cut[axis] + dilation[axis] * (kernel[axis] - 1) + added[axis] + 1
            for axis, size in enumerate(sizes)
        )
        if min(left) < 1:
            raise Misfit(f"cuts more off than there is: sizes of {left} would be left", key="padding")
        built = module(channels, self.out, kernel, stride, cut, added, self.groups, self.bias, dilation)
        return Branch(built, incoming.signal.shaped(self.out, *left))


@block("conv_transpose1d")
class ConvTranspose1d(Transposed):
    """A transposed convolution over one axis; takes (channels, length)."""

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.ConvTranspose1d``."""
        return self.transpose(incoming, nn.ConvTranspose1d, 1)


@block("conv_transpose2d")
class ConvTranspose2d(Transposed):
    """A transposed convolution over two axes; takes (channels, height, width)."""

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.ConvTranspose2d``."""
        return self.transpose(incoming, nn.ConvTranspose2d, 2)


@block("conv_transpose3d")
class ConvTranspose3d(Transposed):
    """A transposed convolution over three axes; takes (channels, depth, height, width)."""

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.ConvTranspose3d``."""
        return self.transpose(incoming, nn.ConvTranspose3d, 3)
