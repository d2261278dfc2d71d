"""Layers that run over time with torch's own kernels: one call for all steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import Branch, Count, Flag, Incoming, Layer, Misfit, Probability, block


class OverTime(nn.Module):
    """(batch, steps, features) → what a recurrent module puts out at every step, or at the end."""

    def __init__(self, rnn: nn.RNNBase, output: Literal["sequence", "last"]) -> None:
        super().__init__()
        self.rnn = rnn
        self.output = output

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """All steps, or the last one of each direction."""
        sequence: torch.Tensor = self.rnn(x)[0]
        if self.output == "sequence":
            return sequence
        if not self.rnn.bidirectional:
            return sequence[:, -1]
        # What reads backwards has read everything when it is at the first step.
        forwards, backwards = sequence.chunk(2, dim=-1)
        return torch.cat([forwards[:, -1], backwards[:, 0]], dim=-1)


class Recurrent(Layer):
    """What recurrent layers have in common."""

    module: ClassVar[Callable[..., nn.RNNBase]]

    out: Count = Field(description="Size of the hidden state")
    depth: Count = Field(default=1, description="How many of them stand on each other")
    bidirectional: Flag = Field(
        default=False, description="Whether a second one reads from the end; twice as much leaves then"
    )
    dropout: Probability = Field(default=0.0, description="How likely a value is left out between two of them")
    bias: Flag = Field(default=True, description="Whether it adds biases")
    output: Literal["sequence", "last"] = Field(
        default="sequence", description="What leaves: every step, or the last one alone"
    )

    def build(self, incoming: Incoming) -> Branch:
        """``OverTime`` around the module of torch.nn, which is called ``rnn``."""
        steps, features = incoming.axes("steps", "features")
        if self.dropout and self.depth == 1:
            raise Misfit(
                "has no layer for its dropout: it acts between layers", hint="give a `depth:` above 1", key="dropout"
            )
        rnn = self.module(
            features,
            self.out,
            num_layers=self.depth,
            bias=self.bias,
            batch_first=True,
            dropout=self.dropout,
            bidirectional=self.bidirectional,
            **self.options(),
        )
        size = self.size() * (2 if self.bidirectional else 1)
        shape = (steps, size) if self.output == "sequence" else (size,)
        return Branch(OverTime(rnn, self.output), incoming.signal.shaped(*shape))

    def options(self) -> dict[str, Any]:
        """What this kind alone passes to its module.

        Raises:
            Misfit: the options do not go together.
        """
        return {}

    def size(self) -> int:
        """Numbers that leave one direction at every step."""
        return self.out

    def modules(self) -> int:
        """Itself and torch's module."""
        return 2


@block("rnn")
class RNN(Recurrent):
    """A plain recurrent layer: h ← tanh(W x + U h + b), or with relu; takes (steps, features)."""

    module: ClassVar[Callable[..., nn.RNNBase]] = nn.RNN

    nonlinearity: Literal["tanh", "relu"] = Field(default="tanh", description="What bends the hidden state")

    def options(self) -> dict[str, Any]:
        """The nonlinearity."""
        return {"nonlinearity": self.nonlinearity}


@block("lstm")
class LSTM(Recurrent):
    """Long short-term memory: a cell state behind input, forget and output gates; takes (steps, features)."""

    module: ClassVar[Callable[..., nn.RNNBase]] = nn.LSTM

    projection: Count | None = Field(
        default=None, description="Size to which the hidden state is projected, smaller than 'out'"
    )

    def options(self) -> dict[str, Any]:
        """The size of the projection; 0 is torch's word for none."""
        if self.projection is not None and self.projection >= self.out:
            message = f"projects to fewer numbers than its hidden state has ({self.out}), not to {self.projection}"
            raise Misfit(message, key="projection")
        return {"proj_size": self.projection or 0}

    def size(self) -> int:
        """The projection where there is one."""
        return self.projection or self.out


@block("gru")
class GRU(Recurrent):
    """A gated recurrent unit: a hidden state behind reset and update gates; takes (steps, features)."""

    module: ClassVar[Callable[..., nn.RNNBase]] = nn.GRU
