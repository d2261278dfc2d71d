"""The same numbers in another shape."""

from __future__ import annotations

import math
from typing import ClassVar

from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import Branch, Count, Incoming, Layer, Misfit, block


@block("reshape", aliases=("unflatten",))
class Reshape(Layer):
    """All numbers of a sample in another shape.

    ``{type: reshape, shape: [16, 4, 4]}``
    """

    tokens: ClassVar[bool] = True

    shape: list[Count] = Field(min_length=1, max_length=16, description="The shape, without the batch axis")

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.Unflatten``, behind ``Flatten`` where there is more than one axis."""
        incoming.last()
        numbers = math.prod(incoming.shape)
        if math.prod(self.shape) != numbers:
            raise Misfit(f"cannot put {numbers} numbers, of {incoming.shape}, into {tuple(self.shape)}", key="shape")
        unflatten = nn.Unflatten(1, tuple(self.shape))
        module = unflatten if len(incoming.shape) == 1 else nn.Sequential(nn.Flatten(), unflatten)
        return Branch(module, incoming.signal.shaped(*self.shape))

    def modules(self) -> int:
        """Up to three."""
        return 3
