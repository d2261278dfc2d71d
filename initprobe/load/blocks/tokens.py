"""Images become tokens, tokens learn where they stand, and become one vector again."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from initprobe.load.blocks.base import (
    Branch,
    Count,
    Flag,
    Incoming,
    Layer,
    Misfit,
    PerAxis,
    Positive,
    block,
    per_axis,
)
from initprobe.load.modules.tokens import ClassToken, LearnedPositions, PatchEmbedding, SinusoidalPositions, TokenPool


@block("patch_embedding")
class PatchEmbeddingLayer(Layer):
    """A token for every patch of an image; takes (channels, height, width), makes (patches, out)."""

    patch: PerAxis = Field(description="Size of a patch")
    out: Count = Field(description="Number of features of a token")
    bias: Flag = Field(default=True, description="Whether it adds a bias")

    def build(self, incoming: Incoming) -> Branch:
        """``PatchEmbedding`` with ``projection``, a convolution with the patch's size for its stride."""
        channels, *sizes = incoming.axes("channels", "height", "width")
        patch = tall, wide = per_axis(self.patch, 2, "patch")
        if sizes[0] % tall or sizes[1] % wide:
            raise Misfit(f"needs an image that patches of {patch} tile, here it is {incoming.shape}", key="patch")
        module = PatchEmbedding(channels, self.out, (tall, wide), bias=self.bias)
        return Branch(module, incoming.signal.shaped(sizes[0] // tall * (sizes[1] // wide), self.out))

    def modules(self) -> int:
        """Itself and its convolution."""
        return 2


@block("class_token")
class ClassTokenLayer(Layer):
    """Puts a learned token in front of (length, features)."""

    def build(self, incoming: Incoming) -> Branch:
        """``ClassToken`` with the parameter ``class_token``, which starts at zero."""
        length, features = incoming.axes("length", "features")
        return Branch(ClassToken(features), incoming.signal.shaped(length + 1, features))


@block("positions")
class Positions(Layer):
    """Adds to every token of (length, features) where it stands."""

    kind: Literal["learned", "sinusoidal"] = Field(
        default="learned", description="A learned vector per position, or sines and cosines of it"
    )
    base: Positive = Field(default=10000.0, description="The longest of the sinusoidal waves is 2π times that")

    def build(self, incoming: Incoming) -> Branch:
        """``LearnedPositions`` with the parameter ``position``, or ``SinusoidalPositions`` without any."""
        length, features = incoming.axes("length", "features")
        if self.kind == "learned":
            return Branch(LearnedPositions(length, features), incoming.signal)
        return Branch(SinusoidalPositions(length, features, self.base), incoming.signal)


@block("token_pool")
class TokenPoolLayer(Layer):
    """One vector of all tokens; takes (length, features), makes (features,)."""

    take: Literal["first", "last", "mean"] = Field(
        default="mean", description="The first token (a class token), the last one, or the mean of all"
    )

    def build(self, incoming: Incoming) -> Branch:
        """``TokenPool``."""
        return Branch(TokenPool(self.take), incoming.signal.shaped(incoming.axes("length", "features")[1]))
