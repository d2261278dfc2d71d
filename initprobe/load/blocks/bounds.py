"""Output ranges that no activation gives: positive numbers by exp, and limits."""

from __future__ import annotations

import torch
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from torch import nn

from initprobe.load.blocks.base import Branch, Incoming, Layer, Number, block


class Exp(nn.Module):
    """exp(x)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """exp(x)."""
        return torch.exp(x)


class Clamp(nn.Module):
    """min(max(x, low), high); None is no limit."""

    def __init__(self, low: float | None, high: float | None) -> None:
        super().__init__()
        self.low = low
        self.high = high

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Without gradient where it is cut off."""
        return torch.clamp(x, self.low, self.high)

    def extra_repr(self) -> str:
        """The limits, for ``print(model)``."""
        return f"low={self.low}, high={self.high}"


@block("exp")
class ExpLayer(Layer):
    """exp(x): a positive output, whose relative change is what the layer before it adds."""

    def build(self, incoming: Incoming) -> Branch:
        """``Exp``."""
        return Branch(Exp(), incoming.signal)


@block("clamp")
class ClampLayer(Layer):
    """Cuts numbers off at a lower limit, an upper one or both; no gradient passes where it does.

    ``{type: clamp, low: 0.0, high: 1.0}``
    """

    low: Number | None = Field(default=None, description="The lower limit")
    high: Number | None = Field(default=None, description="The upper limit")

    @model_validator(mode="after")
    def check_limits(self) -> ClampLayer:
        """One limit at least, and room between the two."""
        if self.low is None and self.high is None:
            raise PydanticCustomError("needs", "clamp needs 'low' or 'high'")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise PydanticCustomError("needs", "'low' must be less than 'high'")
        return self

    def build(self, incoming: Incoming) -> Branch:
        """``Clamp``."""
        return Branch(Clamp(self.low, self.high), incoming.signal)
