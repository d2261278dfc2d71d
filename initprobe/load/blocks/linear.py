"""The fully connected layer."""

from __future__ import annotations

from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import Branch, Count, Flag, Incoming, Layer, block


@block("linear")
class Linear(Layer):
    """A fully connected layer over the last axis: x Wᵀ + b."""

    out: Count = Field(description="Number of outputs")
    bias: Flag = Field(default=True, description="Whether it adds a bias")

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.Linear``."""
        *rest, features = incoming.last(len(incoming.shape) or 1)
        return Branch(nn.Linear(features, self.out, self.bias), incoming.signal.shaped(*rest, self.out))
