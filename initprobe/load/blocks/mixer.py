"""MLP-Mixer: one small network over tokens, one over features."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import Branch, Count, Incoming, Layer, Misfit, Positive, block
from initprobe.load.modules.pointwise import Pointwise
from initprobe.load.modules.transformer import FeedForward


class MixerBlock(nn.Module):
    """x + tokens(norm(x)ᵀ)ᵀ, then x + channels(norm(x)); without normalization where there is none."""

    def __init__(
        self, tokens: FeedForward, channels: FeedForward, norm1: nn.Module | None, norm2: nn.Module | None
    ) -> None:
        super().__init__()
        self.norm1 = norm1
        self.tokens = tokens
        self.norm2 = norm2
        self.channels = channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The stream behind the block."""
        inner = x if self.norm1 is None else self.norm1(x)
        x = x + self.tokens(inner.transpose(1, 2)).transpose(1, 2)
        inner = x if self.norm2 is None else self.norm2(x)
        mixed: torch.Tensor = x + self.channels(inner)
        return mixed


@block("mixer")
class Mixer(Layer):
    """An MLP-Mixer block: a feed-forward branch over the tokens, then one over the features of (length, features)."""

    token_ratio: Positive = Field(default=0.5, description="Hidden units over the tokens, per feature")
    token_hidden: Count | None = Field(default=None, description="Their number, in place of the ratio")
    ratio: Positive = Field(default=4.0, description="Hidden units over the features, per feature")
    hidden: Count | None = Field(default=None, description="Their number, in place of the ratio")
    activation: Pointwise = Field(default="gelu", description="What stands between the layers of a branch")
    norm: Literal["layer", "none"] = Field(
        default="layer", description="A layer_norm at the start of every branch, or nothing"
    )
    eps: Positive = Field(default=1e-6, description="Added to the variance by the normalizations")

    def build(self, incoming: Incoming) -> Branch:
        """``MixerBlock`` with ``norm1``, ``tokens``, ``norm2`` and ``channels``."""
        length, features = incoming.axes("length", "features")
        tokens = self.token_hidden or int(self.token_ratio * features)
        channels = self.hidden or int(self.ratio * features)
        if min(tokens, channels) < 1:
            key = "token_ratio" if tokens < 1 else "ratio"
            raise Misfit(f"has no hidden units with {features} features", key=key)
        norm1, norm2 = (nn.LayerNorm(features, self.eps) if self.norm == "layer" else None for _ in range(2))
        built = MixerBlock(
            FeedForward(length, tokens, self.activation),
            FeedForward(features, channels, self.activation),
            norm1,
            norm2,
        )
        return Branch(built, incoming.signal)

    def modules(self) -> int:
        """Itself, two branches of four modules, and the normalizations."""
        return 9 + (2 if self.norm == "layer" else 0)
