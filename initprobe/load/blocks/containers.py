"""Layers with layers inside them: one after the other, repeated, or beside a skip connection."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import Branch, Count, Incoming, Layer, Layers, Misfit, block


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


class SkipConnection(nn.Module):
    """shortcut(x) + body(x); the shortcut is the identity when there is none."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum."""
        skip: torch.Tensor = x if self.shortcut is None else self.shortcut(x)
        total: torch.Tensor = skip + self.body(x)
        return total


@block("residual")
class Residual(Layer):
    """Layers beside a skip connection: x + layers(x), or shortcut(x) + layers(x)."""

    layers: Layers = Field(description="The branch")
    shortcut: Layers | None = Field(default=None, description="What the skip connection does; nothing when not given")

    def build(self, incoming: Incoming) -> Branch:
        """``SkipConnection`` with ``body`` and, where there is one, ``shortcut``."""
        body = incoming.sequence(self.layers, "layers", name="body")
        skip, shortcut = incoming.signal, None
        if self.shortcut is not None:
            branch = incoming.sequence(self.shortcut, "shortcut", name="shortcut")
            skip, shortcut = branch.signal, branch.module
        if skip.shape != body.signal.shape:
            end = "the shortcut ends with" if self.shortcut is not None else "the skip connection brings"
            hint = None if self.shortcut is not None else "a `shortcut:` of layers can change the shape"
            raise Misfit(f"cannot add: its layers end with {body.signal.shape}, {end} {skip.shape}", hint=hint)
        return Branch(SkipConnection(body.module, shortcut), body.signal)

    def modules(self) -> int:
        """Itself, a container for the body and one for the shortcut, and what is in them."""
        shortcut = 0 if self.shortcut is None else 1 + sum(layer.modules() for layer in self.shortcut)
        return 2 + shortcut + sum(layer.modules() for layer in self.layers)
