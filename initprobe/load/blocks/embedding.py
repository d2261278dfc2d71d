"""Token ids become vectors."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import Branch, Count, Incoming, Layer, Misfit, Signal, block


@block("embedding")
class Embedding(Layer):
    """A learned vector per token id; takes tokens of any shape, adds an axis."""

    tokens: ClassVar[bool] = True

    out: Count = Field(description="Size of a vector")
    vocab: Count | None = Field(default=None, description="Number of vectors; the input's vocabulary when not given")

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.Embedding``."""
        known = incoming.signal.vocab
        if known is None:
            hint = "`input: {shape: [...], dist: tokens, vocab: ...}` gives tokens"
            raise Misfit("needs tokens, here come real numbers", hint=hint)
        if self.vocab is not None and self.vocab < known:
            raise Misfit(f"has {self.vocab} vectors for {known} token ids", key="vocab")
        return Branch(nn.Embedding(self.vocab or known, self.out), Signal((*incoming.shape, self.out)))
