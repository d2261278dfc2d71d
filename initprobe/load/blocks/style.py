"""Generators in the manner of StyleGAN2: a mapping, a learned constant, and convolutions that are told a style."""

from __future__ import annotations

from pydantic import Field

from initprobe.load.blocks.base import Branch, Count, Flag, Incoming, Layer, Layers, Misfit, Signal, block
from initprobe.load.modules.memory import readers
from initprobe.load.modules.style import ModulatedConv2d, StyleGenerator


@block("style_generator")
class StyleGeneratorLayer(Layer):
    """A mapping makes a style of its input; a learned constant becomes an image under it, as in StyleGAN2.

    `modulated_conv2d` in the synthesis reads the style.

    {type: style_generator, mapping: [relu], constant: [64, 4, 4], synthesis: [{type: modulated_conv2d, out: 64}]}
    """

    mapping: Layers = Field(description="From the input to the style, (features,)")
    constant: list[Count] = Field(
        min_length=1, max_length=8, description="Shape of the learned constant that the synthesis starts from"
    )
    synthesis: Layers = Field(description="From the constant to the output")

    def build(self, incoming: Incoming) -> Branch:
        """``StyleGenerator`` with ``mapping``, the parameter ``constant`` and ``synthesis``."""
        mapping = incoming.sequence(self.mapping, "mapping", name="mapping")
        style = mapping.signal
        if len(style.shape) != 1:
            raise Misfit(f"needs a mapping that ends with features, here it ends with {style.shape}", key="mapping")
        constant = Signal(tuple(self.constant))
        synthesis = incoming.sequence(self.synthesis, "synthesis", name="synthesis", signal=constant, memory=style)
        if next(readers(synthesis.module), None) is None:
            hint = "modulated_conv2d does"
            raise Misfit("makes a style that nothing in its synthesis reads", hint=hint, key="synthesis")
        return Branch(StyleGenerator(mapping.module, synthesis.module, constant.shape), synthesis.signal)

    def modules(self) -> int:
        """Itself, two containers, and what is in them."""
        return 3 + sum(layer.modules() for layer in (*self.mapping, *self.synthesis))


@block("modulated_conv2d")
class ModulatedConv2dLayer(Layer):
    """A convolution whose filters are scaled by a style, then to unit length; it stands in a `style_generator`.

    It keeps the size; `upsample` changes it. What leaves has the variance of white noise that comes in, whatever the
    style and whatever the scale of the weights (Karras et al. 2020, arXiv 1912.04958, section 2.2).
    """

    out: Count = Field(description="Number of output channels")
    kernel: Count = Field(default=3, description="Size of the kernel, an odd number")
    demodulate: Flag = Field(
        default=True, description="Whether filters are brought to unit length; not so in the layers that make colours"
    )

    def build(self, incoming: Incoming) -> Branch:
        """``ModulatedConv2d`` with ``style`` and ``conv``."""
        channels, height, width = incoming.axes("channels", "height", "width")
        if self.kernel % 2 == 0:
            raise Misfit(f"needs an odd kernel to keep the size, not {self.kernel}", key="kernel")
        style = incoming.memory
        if style is None or len(style.shape) != 1:
            hint = "it stands in the `synthesis:` of a `style_generator`"
            raise Misfit("reads a style, and there is none here", hint=hint)
        module = ModulatedConv2d(channels, self.out, self.kernel, style.shape[0], demodulate=self.demodulate)
        return Branch(module, incoming.signal.shaped(self.out, height, width))

    def modules(self) -> int:
        """Itself, what makes scales of the style, and the convolution."""
        return 3
