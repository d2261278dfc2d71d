"""Two networks side by side: an encoder, and a decoder that can read what it made."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from initprobe.load.blocks.base import Branch, Count, Incoming, Layer, Layers, Misfit, block
from initprobe.load.modules.decoder import EncoderDecoder
from initprobe.load.modules.memory import readers


@block("encoder_decoder")
class EncoderDecoderLayer(Layer):
    """An encoder for the first tokens of (length, ...), and a decoder for the others, which can read the encoder's.

    The input holds a source and a target, one behind the other. `cross_attention` and `transformer_decoder` in the
    decoder read the last layer of the encoder; what leaves is the decoder's output.

    {type: encoder_decoder, source: 9, encoder: [relu], decoder: [{type: cross_attention, heads: 4}]}
    """

    tokens: ClassVar[bool] = True

    source: Count = Field(
        description="How many of the tokens, the first ones, the encoder reads; the decoder has the rest"
    )
    encoder: Layers = Field(description="From the source to (length, features)")
    decoder: Layers = Field(description="What happens to the target")

    def build(self, incoming: Incoming) -> Branch:
        """``EncoderDecoder`` with ``encoder`` and ``decoder``."""
        incoming.last()
        length, *rest = incoming.shape
        if self.source >= length:
            raise Misfit(f"leaves no token for the decoder: there are {length} in all", key="source")
        encoder = incoming.sequence(
            self.encoder, "encoder", name="encoder", signal=incoming.signal.shaped(self.source, *rest)
        )
        made = encoder.signal
        if len(made.shape) != 2 or made.vocab is not None:
            message = f"needs an encoder that ends with (length, features), here it ends with {made.shape}"
            raise Misfit(message, key="encoder")
        target = incoming.signal.shaped(length - self.source, *rest)
        decoder = incoming.sequence(self.decoder, "decoder", name="decoder", signal=target, memory=made)
        if next(readers(decoder.module), None) is None:
            hint = "cross_attention and transformer_decoder do"
            raise Misfit("has an encoder that nothing in its decoder reads", hint=hint, key="decoder")
        return Branch(EncoderDecoder(encoder.module, decoder.module, self.source), decoder.signal)

    def modules(self) -> int:
        """Itself, two containers, and what is in them."""
        return 3 + sum(layer.modules() for layer in (*self.encoder, *self.decoder))
