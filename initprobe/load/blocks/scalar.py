"""One number for a whole layer: added or multiplied, learned or fixed."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import Branch, Incoming, Layer, Number, block


class AddedScalar(nn.Module):
    """x + bias, for one learned number."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.full((1,), value))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum."""
        return x + self.bias


class MultipliedScalar(nn.Module):
    """scale * x, for one learned number."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((1,), value))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The product."""
        return self.scale * x


@block("scalar_bias")
class ScalarBias(Layer):
    """Adds one learned number to everything."""

    value: Number = Field(default=0.0, description="What the number starts at")

    def build(self, incoming: Incoming) -> Branch:
        """``AddedScalar``."""
        return Branch(AddedScalar(self.value), incoming.signal)


@block("scalar_scale")
class ScalarScale(Layer):
    """Multiplies everything by one learned number."""

    value: Number = Field(default=1.0, description="What the number starts at")

    def build(self, incoming: Incoming) -> Branch:
        """``MultipliedScalar``."""
        return Branch(MultipliedScalar(self.value), incoming.signal)


class Multiplied(nn.Module):
    """factor * x, for a fixed number."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The product."""
        return self.factor * x

    def extra_repr(self) -> str:
        """The number, for ``print(model)``."""
        return f"factor={self.factor:g}"


@block("multiply")
class Multiply(Layer):
    """Multiplies everything by a fixed number, as transformers do with their embeddings (√features)."""

    factor: Number = Field(description="The number")

    def build(self, incoming: Incoming) -> Branch:
        """``Multiplied``."""
        return Branch(Multiplied(self.factor), incoming.signal)
