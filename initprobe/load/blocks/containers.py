"""Layers with layers inside them: one after the other, or repeated."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import Branch, Count, Incoming, Layer, Layers, block


@block("sequential")
class Sequential(Layer):
    """Layers one after the other under one name."""

    tokens: ClassVar[bool] = True

    layers: Layers = Field(description="The layers, first to last")

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.Sequential``; its children have the names of the layers."""
        return incoming.sequence(self.layers, "layers")

    def modules(self) -> int:
        """Itself and what is in it."""
        return 1 + sum(layer.modules() for layer in self.layers)


@block("repeat")
class Repeat(Layer):
    """The same layers over and over, each time with weights of their own."""

    tokens: ClassVar[bool] = True

    times: Count = Field(description="How often")
    layers: Layers = Field(description="The layers of one repetition, first to last")

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.Sequential`` of repetitions called 0, 1, 2 and so on."""
        repetitions: list[nn.Module] = []
        signal = incoming.signal
        for number in range(self.times):
            branch = incoming.sequence(self.layers, "layers", name=str(number), signal=signal)
            repetitions.append(branch.module)
            signal = branch.signal
        return Branch(nn.Sequential(*repetitions), signal)

    def modules(self) -> int:
        """Itself, and for every repetition one more than what is in it."""
        return 1 + self.times * (1 + sum(layer.modules() for layer in self.layers))
