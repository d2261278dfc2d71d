"""A head that shares its weight with an embedding."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from initprobe.load.blocks.base import Branch, Flag, Incoming, Layer, Misfit, Text, block


class TiedHead(nn.Module):
    """x Wᵀ + b, W the table of an embedding.

    It holds the embedding, not its weight, and not as a child: the weight has one owner and one name, and what is put
    in its place (another tensor, a parametrization) holds for both.
    """

    def __init__(self, embedding: nn.Embedding, *, bias: bool) -> None:
        super().__init__()
        self.shared = (embedding,)
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings)) if bias else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """A number for every token id."""
        return functional.linear(x, self.shared[0].weight, self.bias)


@block("tied_head")
class TiedHeadLayer(Layer):
    """A linear layer over the last axis whose weight is the table of an embedding before it."""

    embedding: Text = Field(
        default="embedding", description="Path of the embedding: its name, where it lies in nothing"
    )
    bias: Flag = Field(default=False, description="Whether it adds a bias")

    def build(self, incoming: Incoming) -> Branch:
        """``TiedHead``, without a weight of its own."""
        *rest, features = incoming.last(len(incoming.shape) or 1)
        known = [path for path, module in incoming.earlier.items() if isinstance(module, nn.Embedding)]
        module = incoming.earlier.get(self.embedding)
        if not isinstance(module, nn.Embedding):
            hint = f"there is {', '.join(known[:5])}" if known else "there is no embedding before it"
            raise Misfit(f"finds no embedding {self.embedding!r}", hint=hint, key="embedding")
        if module.embedding_dim != features:
            raise Misfit(
                f"needs features like the vectors of {self.embedding!r}, ({module.embedding_dim},), "
                f"here it is {incoming.shape}"
            )
        return Branch(TiedHead(module, bias=self.bias), incoming.signal.shaped(*rest, module.num_embeddings))
