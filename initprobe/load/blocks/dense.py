"""Concatenation instead of sums: DenseNet's blocks and their transitions, U-Net's skips."""

from __future__ import annotations

from collections import OrderedDict

from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import (
    Branch,
    Count,
    Incoming,
    Layer,
    Layers,
    Misfit,
    Positive,
    Probability,
    Whole,
    block,
)
from initprobe.load.modules.dense import Concatenated, DenseLayer, UNet
from initprobe.load.modules.normalization import ImageNorm, check_map, make_norm
from initprobe.load.modules.pointwise import MODULES, Pointwise


@block("dense_block")
class DenseBlock(Layer):
    """Layers that read all channels before them and add a few, as in DenseNet; takes (channels, height, width)."""

    times: Count = Field(description="Number of layers")
    growth: Count = Field(default=32, description="Channels that each layer adds")
    bottleneck: Whole = Field(default=4, description="Channels of the 1x1 convolution, times `growth`; 0 leaves it out")
    norm: ImageNorm = Field(default="batch_norm", description="Normalization in front of every convolution")
    activation: Pointwise = Field(default="relu", description="Activation in front of every convolution")
    dropout: Probability = Field(default=0.0, description="Probability that a number of a new channel is dropped")

    def build(self, incoming: Incoming) -> Branch:
        """``Concatenated`` layers called layer1, layer2 and so on."""
        channels, height, width = incoming.axes("channels", "height", "width")
        check_map(self.norm, height, width)
        layers = OrderedDict[str, nn.Module]()
        for number in range(self.times):
            layers[f"layer{number + 1}"] = DenseLayer(
                channels + number * self.growth,
                self.growth,
                self.bottleneck * self.growth,
                norm=self.norm,
                activation=self.activation,
                dropout=self.dropout,
            )
        out = channels + self.times * self.growth
        return Branch(Concatenated(layers), incoming.signal.shaped(out, height, width))

    def modules(self) -> int:
        """Itself, and for every layer its container and what is in it."""
        each = (2 + (self.norm != "none")) * (2 if self.bottleneck else 1)
        return 1 + self.times * (2 + each + bool(self.dropout))


@block("transition")
class Transition(Layer):
    """Fewer channels and half the size, between dense blocks; takes (channels, height, width)."""

    compression: Positive = Field(default=0.5, le=1, description="Part of the channels that is left")
    norm: ImageNorm = Field(default="batch_norm", description="Normalization in front of the convolution")
    activation: Pointwise = Field(default="relu", description="Activation in front of the convolution")

    def build(self, incoming: Incoming) -> Branch:
        """Children norm, activation, conv and pool."""
        channels, height, width = incoming.axes("channels", "height", "width")
        if min(height, width) < 2:
            raise Misfit(f"cannot halve its input, here it is {incoming.shape}")
        out = max(1, int(channels * self.compression))
        norm = make_norm(self.norm, channels)
        layers = OrderedDict[str, nn.Module]() if norm is None else OrderedDict[str, nn.Module](norm=norm)
        layers["activation"] = MODULES[self.activation]()
        layers["conv"] = nn.Conv2d(channels, out, 1, bias=self.norm == "none")
        layers["pool"] = nn.AvgPool2d(2)
        return Branch(nn.Sequential(layers), incoming.signal.shaped(out, height // 2, width // 2))

    def modules(self) -> int:
        """Itself and what is in it."""
        return 4 + (self.norm != "none")


@block("unet")
class UNetBlock(Layer):
    """One level of a U-Net: what `down` made goes on beside what `bottom` made of it; levels nest in `bottom`."""

    down: Layers = Field(description="Layers at the full size; what they make is kept")
    bottom: Layers = Field(description="What happens to it at a smaller size, and back; the next level stands in here")
    up: Layers = Field(description="Layers that take both, the channels kept first")

    def build(self, incoming: Incoming) -> Branch:
        """``UNet`` with ``down``, ``bottom`` and ``up``."""
        down = incoming.sequence(self.down, "down", name="down")
        bottom = incoming.sequence(self.bottom, "bottom", name="bottom", signal=down.signal)
        kept, made = down.signal.shape, bottom.signal.shape
        if not kept or kept[1:] != made[1:]:
            hint = "pooling is undone by `upsample` or by a transposed convolution, where sizes are even"
            raise Misfit(f"cannot join: `down` ends with {kept}, `bottom` with {made}", hint=hint, key="bottom")
        both = down.signal.shaped(kept[0] + made[0], *kept[1:])
        up = incoming.sequence(self.up, "up", name="up", signal=both)
        return Branch(UNet(down.module, bottom.module, up.module), up.signal)

    def modules(self) -> int:
        """Itself, a container for each of the three, and what is in them."""
        return 4 + sum(layer.modules() for layers in (self.down, self.bottom, self.up) for layer in layers)
