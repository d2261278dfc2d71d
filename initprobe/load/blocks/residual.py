"""Residual connections: around any layers, and the blocks of residual networks for images."""

from __future__ import annotations

from collections import OrderedDict
from typing import ClassVar, Literal

from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import (
    Branch,
    Count,
    Flag,
    Incoming,
    Layer,
    Layers,
    Misfit,
    Number,
    Probability,
    block,
)
from initprobe.load.modules.normalization import ImageNorm, check_map, make_norm
from initprobe.load.modules.pointwise import MODULES, Pointwise
from initprobe.load.modules.resnet import ConvolutionBlock, PaddedShortcut
from initprobe.load.modules.skip import DropPath, Ending, GateKind, SkipConnection, make_gate


class Skipping(Layer):
    """What layers with a skip connection have in common: what happens to the branch before it is added."""

    gate: GateKind = Field(
        default="none",
        description="Learned numbers the branch is multiplied by: one that starts at 0 (rezero, skipinit) or at 1 "
        "(scalar), or one per channel that starts at 1e-5 (layerscale)",
    )
    gate_value: Number | None = Field(default=None, description="What the gate starts at, where that is another number")
    scale: Number = Field(default=1.0, description="A fixed number the branch is multiplied by")
    drop_path: Probability = Field(
        default=0.0, description="Probability that the branch of a sample is dropped (stochastic depth)"
    )

    def ending(self, shape: tuple[int, ...], activation: nn.Module | None = None) -> Ending:
        """What happens to a branch whose samples have that shape.

        Raises:
            Misfit: there is no gate to start anywhere.
        """
        if self.gate == "none" and self.gate_value is not None:
            raise Misfit("has no gate that could start at a number", hint="give `gate:`, too", key="gate_value")
        drop_path = DropPath(self.drop_path) if self.drop_path else None
        return Ending(make_gate(self.gate, self.gate_value, shape), self.scale, drop_path, activation)

    def skip_modules(self) -> int:
        """How many modules these options make."""
        return (self.gate != "none") + bool(self.drop_path)


@block("residual")
class Residual(Skipping):
    """Layers beside a skip connection: x + layers(x), or shortcut(x) + layers(x)."""

    layers: Layers = Field(description="The branch")
    shortcut: Layers | None = Field(default=None, description="What the skip connection does; nothing when not given")
    activation: Pointwise = Field(default="none", description="What follows the sum")

    def build(self, incoming: Incoming) -> Branch:
        """``SkipConnection`` with ``body`` and, where there is one, ``shortcut``."""
        body = incoming.sequence(self.layers, "layers", name="body")
        skip, shortcut = incoming.signal, None
        if self.shortcut is not None:
            branch = incoming.sequence(self.shortcut, "shortcut", name="shortcut")
            skip, shortcut = branch.signal, branch.module
        if skip.shape != body.signal.shape:
            end = "the shortcut ends with" if self.shortcut is not None else "the skip connection brings"
            hint = None if self.shortcut is not None else "a `shortcut:` of layers can change the shape"
            raise Misfit(f"cannot add: its layers end with {body.signal.shape}, {end} {skip.shape}", hint=hint)
        activation = None if self.activation == "none" else MODULES[self.activation]()
        connection = SkipConnection(body.module, shortcut, self.ending(body.signal.shape, activation))
        return Branch(connection, body.signal)

    def modules(self) -> int:
        """Itself, a container for the body and one for the shortcut, what is in them, and what its options make."""
        shortcut = 0 if self.shortcut is None else 1 + sum(layer.modules() for layer in self.shortcut)
        own = 2 + (self.activation != "none") + self.skip_modules()
        return own + shortcut + sum(layer.modules() for layer in self.layers)


class ImageBlock(Skipping):
    """What the blocks of residual networks for images have in common."""

    convolutions: ClassVar[int]

    out: Count = Field(description="Number of output channels")
    stride: Count = Field(default=1, description="Step of its 3x3 convolution; a block of two makes it in the first")
    norm: ImageNorm = Field(
        default="batch_norm", description="Normalization at every convolution; group_norm has 32 groups at most"
    )
    activation: Pointwise = Field(default="relu", description="Activation at every convolution")
    pre_activation: Flag = Field(
        default=False,
        description="Whether normalization and activation stand before each convolution, and nothing behind the sum",
    )
    shortcut: Literal["projection", "pad"] = Field(
        default="projection",
        description="Where the shape changes, a 1x1 convolution on the skip path, or zeros for the channels it lacks",
    )
    bias: Flag | None = Field(
        default=None, description="Whether convolutions add a bias; where there is no normalization when not given"
    )

    @property
    def biased(self) -> bool:
        """Whether convolutions add a bias."""
        return self.norm == "none" if self.bias is None else self.bias

    def assemble(self, incoming: Incoming, steps: list[tuple[int, int, int, int]]) -> Branch:
        """The block for convolutions given as output channels, kernel, stride and groups."""
        inputs, height, width = incoming.axes("channels", "height", "width")
        channels = [inputs, *(out for out, *_ in steps)]
        convolutions = [
            nn.Conv2d(channels[at], out, kernel, stride, kernel // 2, groups=groups, bias=self.biased)
            for at, (out, kernel, stride, groups) in enumerate(steps)
        ]
        shape = self.out, *((size - 1) // self.stride + 1 for size in (height, width))
        check_map(self.norm, *shape[1:])
        module = ConvolutionBlock(
            convolutions,
            [make_norm(self.norm, width) for width in (channels[:-1] if self.pre_activation else channels[1:])],
            MODULES[self.activation],
            self.skipped(inputs),
            self.ending(shape),
            pre=self.pre_activation,
        )
        return Branch(module, incoming.signal.shaped(*shape))

    def skipped(self, channels: int) -> nn.Module | None:
        """What the skip path does to an image with that many channels; None where it keeps its shape."""
        if self.stride == 1 and channels == self.out:
            return None
        if self.shortcut == "pad":
            if channels > self.out:
                message = f"cannot pad {channels} channels to {self.out}"
                raise Misfit(message, hint="a projection can leave channels out", key="shortcut")
            return PaddedShortcut(self.out, self.stride)
        projection = nn.Conv2d(channels, self.out, 1, self.stride, bias=self.biased)
        norm = None if self.pre_activation else make_norm(self.norm, self.out)
        return projection if norm is None else nn.Sequential(OrderedDict(conv=projection, norm=norm))

    def modules(self) -> int:
        """Itself, its layers, and the shortcut that it has where the shape changes."""
        each = 2 + (self.norm != "none")
        shortcut = 1 if self.shortcut == "pad" or self.norm == "none" or self.pre_activation else 3
        return 1 + each * self.convolutions + shortcut + self.skip_modules()


@block("basic_block")
class BasicBlock(ImageBlock):
    """Two 3x3 convolutions beside a skip connection, as in ResNet-18; takes (channels, height, width)."""

    convolutions: ClassVar[int] = 2

    def build(self, incoming: Incoming) -> Branch:
        """``ConvolutionBlock`` with conv1 and conv2."""
        return self.assemble(incoming, [(self.out, 3, self.stride, 1), (self.out, 3, 1, 1)])


@block("bottleneck")
class Bottleneck(ImageBlock):
    """Convolutions of 1x1, 3x3 and 1x1 beside a skip connection, as in ResNet-50; takes (channels, height, width)."""

    convolutions: ClassVar[int] = 3

    width: Count | None = Field(
        default=None, description="Channels of the 3x3 convolution; a quarter of `out` when not given"
    )
    groups: Count = Field(default=1, description="Groups of the 3x3 convolution (ResNeXt's cardinality)")

    def build(self, incoming: Incoming) -> Branch:
        """``ConvolutionBlock`` with conv1, conv2 and conv3."""
        width = self.width or max(1, self.out // 4)
        if width % self.groups:
            raise Misfit(f"needs a width ({width}) that {self.groups} groups divide", key="groups")
        return self.assemble(incoming, [(width, 1, 1, 1), (width, 3, self.stride, self.groups), (self.out, 1, 1, 1)])
