"""The multi-layer perceptron: linear layers with an activation behind each, in one line."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import torch
from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import BLOCKS, Branch, Count, Flag, Incoming, Layer, Misfit, Probability, Wanted, block

if TYPE_CHECKING:
    AnyLayer = Layer

OneLayer = Annotated["AnyLayer", "one layer, of any type; filled in as in Layers"]

Widths = Annotated[
    Count | Annotated[list[Count], Field(min_length=1)],
    Wanted("a whole number from 1 up, or a list with one per hidden layer"),
]


class MLP(nn.Module):
    """Hidden layers, each a linear one with what stands behind it, and a last linear layer where there is one."""

    def __init__(self, stages: Sequence[Sequence[tuple[str, nn.Module]]], head: nn.Module | None) -> None:
        super().__init__()
        self.order = [part for part, _ in stages[0]]
        for place, part in enumerate(self.order):
            self.add_module(part, nn.ModuleList(stage[place][1] for stage in stages))
        self.head = head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One hidden layer after the other, then the head."""
        for stage in zip(*(self.get_submodule(part).children() for part in self.order), strict=True):
            for module in stage:
                x = module(x)
        return x if self.head is None else self.head(x)


@block("mlp")
class MultiLayerPerceptron(Layer):
    """Linear layers with an activation behind each, over the last axis; `linear.0`, `linear.1` and so on inside."""

    width: Widths = Field(description="Width of the hidden layers, or a list with the width of each")
    depth: Count | None = Field(default=None, description="Number of hidden layers of one width; 1 when not given")
    out: Count | None = Field(
        default=None, description="Number of outputs of a last linear layer, `head`; there is none when not given"
    )
    activation: OneLayer = Field(
        default="relu", validate_default=True, description="The layer behind every hidden linear layer"
    )
    norm: OneLayer | None = Field(default=None, description="A normalization before every activation")
    dropout: Probability | None = Field(
        default=None, description="How likely a value is left out behind every activation"
    )
    bias: Flag = Field(default=True, description="Whether its linear layers add a bias")

    def build(self, incoming: Incoming) -> Branch:
        """``MLP`` with lists ``linear``, ``norm``, ``activation`` and ``dropout``, and ``head``."""
        if self.depth is not None and isinstance(self.width, list):
            raise Misfit("has a depth already: one layer for each of its widths", key="depth")
        signal = incoming.signal
        stages = []
        for parts in self.hidden:
            modules = []
            for part, layer in parts:
                branch = incoming.sequence([layer], part, name=part, signal=signal)
                modules.append((part, next(branch.module.children())))
                signal = branch.signal
            stages.append(modules)
        if self.head is None:
            return Branch(MLP(stages, None), signal)
        branch = incoming.sequence([self.head], "out", signal=signal)
        return Branch(MLP(stages, next(branch.module.children())), branch.signal)

    @cached_property
    def hidden(self) -> Sequence[Sequence[tuple[str, Layer]]]:
        """The parts of every hidden layer by their names; kept, because a plan tells layers apart by identity."""
        widths = self.width if isinstance(self.width, list) else [self.width] * (self.depth or 1)
        stages = []
        for number, width in enumerate(widths):
            name = str(number)
            parts: list[tuple[str, Layer]] = [("linear", _made("linear", name=name, out=width, bias=self.bias))]
            if self.norm is not None:
                parts.append(("norm", self.norm.model_copy(update={"name": name})))
            parts.append(("activation", self.activation.model_copy(update={"name": name})))
            if self.dropout is not None:
                parts.append(("dropout", _made("dropout", name=name, p=self.dropout)))
            stages.append(parts)
        return stages

    @cached_property
    def head(self) -> Layer | None:
        """The last linear layer."""
        if self.out is None:
            return None
        return _made("linear", name="head", out=self.out, bias=self.bias)

    def modules(self) -> int:
        """Itself, a list for every part of a hidden layer and what is in it, and the head."""
        count = len(self.width) if isinstance(self.width, list) else self.depth or 1
        inside = [1, self.activation.modules()]
        if self.norm is not None:
            inside.append(self.norm.modules())
        if self.dropout is not None:
            inside.append(1)
        return 1 + len(inside) + count * sum(inside) + (self.out is not None)


def _made(kind: str, **options: Any) -> Layer:
    """A layer as the document would have it."""
    return BLOCKS[kind].model_validate({"type": kind, **options})
