"""Blocks of networks for phones: inverted residuals, squeeze and excitation."""

from __future__ import annotations

from collections import OrderedDict

from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import Branch, Count, Incoming, Layer, Misfit, Positive, Probability, block
from initprobe.load.modules.mobile import InvertedResidual, SqueezeExcitation
from initprobe.load.modules.normalization import ImageNorm, check_map, make_norm
from initprobe.load.modules.pointwise import MODULES, Pointwise
from initprobe.load.modules.skip import DropPath


@block("inverted_residual")
class InvertedResidualBlock(Layer):
    """A depthwise convolution between 1x1 ones that widen and narrow, as in MobileNetV2 and EfficientNet; takes images.

    The input is added where the shape stays the same.
    """

    out: Count = Field(description="Number of output channels")
    expand: Positive = Field(default=6.0, description="How many times as many channels the depthwise convolution has")
    kernel: Count = Field(default=3, description="Size of the depthwise kernel, an odd number")
    stride: Count = Field(default=1, description="Step of the depthwise convolution")
    squeeze: Positive | None = Field(
        default=None,
        description="Squeeze and excitation behind the depthwise convolution, with this part of the input's channels "
        "(EfficientNet: 0.25); none when not given",
    )
    norm: ImageNorm = Field(default="batch_norm", description="Normalization behind every convolution")
    activation: Pointwise = Field(default="relu6", description="Activation behind all but the last convolution")
    drop_path: Probability = Field(
        default=0.0, description="Probability that the branch of a sample is dropped (stochastic depth)"
    )

    def build(self, incoming: Incoming) -> Branch:
        """``InvertedResidual``: a ``body`` of expand, depthwise, squeeze_excitation and project."""
        channels, height, width = incoming.axes("channels", "height", "width")
        if self.kernel % 2 == 0:
            raise Misfit(f"needs an odd kernel to keep its place, not {self.kernel}", key="kernel")
        skip = self.stride == 1 and channels == self.out
        body = self.body(channels, max(1, round(channels * self.expand)))
        module = InvertedResidual(body, DropPath(self.drop_path) if skip and self.drop_path else None, skip=skip)
        left = tuple((size - 1) // self.stride + 1 for size in (height, width))
        check_map(self.norm, *left)
        return Branch(module, incoming.signal.shaped(self.out, *left))

    def body(self, channels: int, hidden: int) -> nn.Module:
        """The branch; it does not expand where that would change nothing."""
        bias, act = self.norm == "none", MODULES[self.activation]
        layers: dict[str, nn.Module | None] = {}
        if hidden != channels:
            layers["expand"] = nn.Conv2d(channels, hidden, 1, bias=bias)
            layers["norm1"] = make_norm(self.norm, hidden)
            layers["activation1"] = act()
        layers["depthwise"] = nn.Conv2d(
            hidden, hidden, self.kernel, self.stride, self.kernel // 2, groups=hidden, bias=bias
        )
        layers["norm2"] = make_norm(self.norm, hidden)
        layers["activation2"] = act()
        if self.squeeze is not None:
            squeezed = max(1, int(channels * self.squeeze))
            layers["squeeze_excitation"] = SqueezeExcitation(hidden, squeezed, self.activation)
        layers["project"] = nn.Conv2d(hidden, self.out, 1, bias=bias)
        layers["norm3"] = make_norm(self.norm, self.out)
        return nn.Sequential(OrderedDict((name, layer) for name, layer in layers.items() if layer is not None))

    def modules(self) -> int:
        """Itself, its body with all that can be in it, and what drops the branch."""
        normed = self.norm != "none"
        expand = 0 if self.expand == 1 else 2 + normed
        squeeze = 0 if self.squeeze is None else 6
        return 2 + expand + (2 + normed) + squeeze + (1 + normed) + bool(self.drop_path)


@block("squeeze_excitation")
class SqueezeExcitationBlock(Layer):
    """Scales every channel by what two layers make of all channels' means; takes (channels, height, width)."""

    squeeze: Positive = Field(default=0.25, description="Part of the channels that is left between the two layers")
    activation: Pointwise = Field(default="relu", description="Activation between the two layers")
    gate: Pointwise = Field(default="sigmoid", description="Activation behind them, which makes the scales")

    def build(self, incoming: Incoming) -> Branch:
        """``SqueezeExcitation``."""
        channels = incoming.axes("channels", "height", "width")[0]
        squeezed = max(1, int(channels * self.squeeze))
        return Branch(SqueezeExcitation(channels, squeezed, self.activation, self.gate), incoming.signal)

    def modules(self) -> int:
        """Itself, pooling, two layers and their activations."""
        return 6
