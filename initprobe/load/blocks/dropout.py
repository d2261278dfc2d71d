"""Values left out at random."""

from __future__ import annotations

from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import Branch, Incoming, Layer, Probability, block


@block("dropout")
class Dropout(Layer):
    """Zeroes values at random and scales up the others."""

    p: Probability = Field(default=0.5, description="How likely a value is left out")

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.Dropout``."""
        return Branch(nn.Dropout(self.p), incoming.signal)
