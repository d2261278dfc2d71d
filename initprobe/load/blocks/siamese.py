"""Two views of every sample through one network, for contrastive losses."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import Branch, Incoming, Layer, Layers, Positive, block


class Siamese(nn.Module):
    """encoder(x) and encoder(x + noise): both views with the same weights."""

    def __init__(self, encoder: nn.Module, noise: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.noise = noise

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The embeddings of both views; normal noise stands for what augmentation does."""
        return self.encoder(x), self.encoder(x + self.noise * torch.randn_like(x))

    def extra_repr(self) -> str:
        """The noise, for ``print(model)``."""
        return f"noise={self.noise:g}"


@block("siamese")
class SiameseLayer(Layer):
    """One encoder for two views of every sample, the second with noise added; it ends a network.

    Its outputs are the embeddings of both: what the objective `contrastive` takes.
    """

    ends: ClassVar[bool] = True

    layers: Layers = Field(description="The encoder and its projection head")
    noise: Positive = Field(default=0.1, description="Standard deviation of what the second view adds to its input")

    def build(self, incoming: Incoming) -> Branch:
        """``Siamese`` with ``encoder``."""
        encoder = incoming.sequence(self.layers, "layers", name="encoder")
        return Branch(Siamese(encoder.module, self.noise), encoder.signal)

    def modules(self) -> int:
        """Itself, a container, and what is in it."""
        return 2 + sum(layer.modules() for layer in self.layers)
