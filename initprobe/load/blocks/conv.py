"""Convolutions over one, two and three axes, and those that filter every channel by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import (
    Branch,
    Count,
    Flag,
    Incoming,
    Layer,
    Misfit,
    PerAxis,
    Shape,
    Wanted,
    Whole,
    block,
    per_axis,
    windows,
)

AXES = ("channels", "length"), ("channels", "height", "width"), ("channels", "depth", "height", "width")
"""Names of the axes that convolutions over one, two and three axes take."""

Padding = Annotated[
    Whole | list[Whole] | Literal["same", "valid"],
    Wanted("a whole number from 0 up, a list with one per axis, 'same' or 'valid'"),
]


class Filters(Layer):
    """What convolutions have in common, whichever channels they mix."""

    kernel: PerAxis = Field(description="Size of the kernel")
    stride: PerAxis = Field(default=1, description="Step of the kernel")
    padding: Padding = Field(default=0, description="Rows added on every side; `same` keeps the size")
    dilation: PerAxis = Field(default=1, description="Distance between the points of the kernel")
    bias: Flag = Field(default=True, description="Whether it adds a bias")
    padding_mode: Literal["zeros", "reflect", "replicate", "circular"] = Field(
        default="zeros", description="What the added rows hold"
    )

    def filtered(
        self, incoming: Incoming, module: Callable[..., nn.Module], count: int, out: int, groups: int
    ) -> Branch:
        """The module for that many axes, output channels and groups."""
        channels, *sizes = incoming.axes(*AXES[count - 1])
        kernel, stride = per_axis(self.kernel, count, "kernel"), per_axis(self.stride, count, "stride")
        dilation = per_axis(self.dilation, count, "dilation")
        if self.padding == "same" and set(stride) != {1}:
            raise Misfit("cannot keep the size with a stride", hint="give 'padding' as a number", key="padding")
        added = self.added(kernel, dilation)
        self.check_mode(tuple(sizes), added)
        left = tuple(sizes) if self.padding == "same" else windows(tuple(sizes), kernel, stride, added, dilation)
        padding = self.padding if isinstance(self.padding, str) else added
        built = module(channels, out, kernel, stride, padding, dilation, groups, self.bias, self.padding_mode)
        return Branch(built, incoming.signal.shaped(out, *left))

    def added(self, kernel: Shape, dilation: Shape) -> Shape:
        """Rows added on every side; for ``same`` on the side that gets more of them."""
        if self.padding == "valid":
            return (0,) * len(kernel)
        if self.padding == "same":
            return tuple((step * (size - 1) + 1) // 2 for step, size in zip(dilation, kernel, strict=True))
        return per_axis(self.padding, len(kernel), "padding")

    def check_mode(self, sizes: Shape, added: Shape) -> None:
        """Rows that repeat the input cannot be more than the input has.

        Raises:
            Misfit: they are.
        """
        spare = {"reflect": 1, "circular": 0}.get(self.padding_mode)
        if spare is not None and any(rows > size - spare for rows, size in zip(added, sizes, strict=True)):
            raise Misfit(f"cannot add {max(added)} rows that repeat the input, here it is {sizes}", key="padding_mode")


class Convolution(Filters):
    """A convolution whose outputs see all channels, or all those of their group."""

    out: Count = Field(description="Number of output channels")
    groups: Count = Field(default=1, description="Number of groups of channels that do not mix")

    def convolve(self, incoming: Incoming, module: Callable[..., nn.Module], count: int) -> Branch:
        """The module for that many axes."""
        channels = incoming.axes(*AXES[count - 1])[0]
        if channels % self.groups or self.out % self.groups:
            message = f"needs channels in ({channels}) and out ({self.out}) that {self.groups} groups divide"
            raise Misfit(message, key="groups")
        return self.filtered(incoming, module, count, self.out, self.groups)


@block("conv1d")
class Conv1d(Convolution):
    """A convolution over one axis; takes (channels, length)."""

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.Conv1d``."""
        return self.convolve(incoming, nn.Conv1d, 1)


@block("conv2d")
class Conv2d(Convolution):
    """A convolution over two axes; takes (channels, height, width)."""

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.Conv2d``."""
        return self.convolve(incoming, nn.Conv2d, 2)


@block("conv3d")
class Conv3d(Convolution):
    """A convolution over three axes; takes (channels, depth, height, width)."""

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.Conv3d``."""
        return self.convolve(incoming, nn.Conv3d, 3)


class Depthwise(Filters):
    """A convolution that filters every channel by itself."""

    multiplier: Count = Field(default=1, description="Number of output channels made of each input channel")

    def convolve(self, incoming: Incoming, module: Callable[..., nn.Module], count: int) -> Branch:
        """The module for that many axes: as many groups as channels."""
        channels = incoming.axes(*AXES[count - 1])[0]
        return self.filtered(incoming, module, count, channels * self.multiplier, channels)


@block("depthwise_conv1d")
class DepthwiseConv1d(Depthwise):
    """A convolution over one axis that mixes no channels; takes (channels, length)."""

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.Conv1d`` with a group per channel."""
        return self.convolve(incoming, nn.Conv1d, 1)


@block("depthwise_conv2d")
class DepthwiseConv2d(Depthwise):
    """A convolution over two axes that mixes no channels; takes (channels, height, width)."""

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.Conv2d`` with a group per channel."""
        return self.convolve(incoming, nn.Conv2d, 2)


@block("depthwise_conv3d")
class DepthwiseConv3d(Depthwise):
    """A convolution over three axes that mixes no channels; takes (channels, depth, height, width)."""

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.Conv3d`` with a group per channel."""
        return self.convolve(incoming, nn.Conv3d, 3)
