"""Local response normalization, AlexNet's: channels compete with their neighbours."""

from __future__ import annotations

from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import Branch, Count, Incoming, Layer, Positive, block


@block("local_response_norm")
class LocalResponseNorm(Layer):
    """Divides every channel by a power of its neighbours' mean square; takes (channels, ...)."""

    size: Count = Field(default=5, description="How many neighbouring channels count, the channel itself included")
    alpha: Positive = Field(default=1e-4, description="Weight of their mean square")
    beta: Positive = Field(default=0.75, description="The power")
    k: Positive = Field(default=1.0, description="Added to the weighted mean square")

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.LocalResponseNorm``."""
        incoming.last(2)
        return Branch(nn.LocalResponseNorm(self.size, self.alpha, self.beta, self.k), incoming.signal)
