"""A recurrent cell that is called once a step, so that signals and gradients can be watched over time."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import Branch, Count, Flag, Incoming, Layer, Misfit, block

MAX_STEPS = 5_000
"""Steps of one pass: every one of them is a call that is watched by itself."""


class Unrolled(nn.Module):
    """(batch, steps, features) → the hidden state of a cell after every step, or after the last."""

    def __init__(self, cell: nn.RNNCellBase, output: Literal["sequence", "last"]) -> None:
        super().__init__()
        self.cell = cell
        self.output = output

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One call of the cell per step; the first state is zero."""
        hidden = x.new_zeros(x.shape[0], self.cell.hidden_size)
        memory = hidden
        states = []
        for step in range(x.shape[1]):
            if isinstance(self.cell, nn.LSTMCell):
                hidden, memory = self.cell(x[:, step], (hidden, memory))
            else:
                hidden = self.cell(x[:, step], hidden)
            states.append(hidden)
        return torch.stack(states, dim=1) if self.output == "sequence" else hidden


@block("unrolled")
class UnrolledCell(Layer):
    """A recurrent cell called step by step, so that every step can be watched; takes (steps, features)."""

    out: Count = Field(description="Size of the hidden state")
    kind: Literal["rnn", "lstm", "gru"] = Field(default="lstm", description="Which cell")
    nonlinearity: Literal["tanh", "relu"] | None = Field(
        default=None, description="What bends the hidden state of `kind: rnn`; tanh when not given"
    )
    bias: Flag = Field(default=True, description="Whether it adds biases")
    output: Literal["sequence", "last"] = Field(
        default="last", description="What leaves: the hidden state of every step, or the last one alone"
    )

    def build(self, incoming: Incoming) -> Branch:
        """``Unrolled`` around torch's cell, which is called ``cell``."""
        steps, features = incoming.axes("steps", "features")
        if steps > MAX_STEPS:
            hint = f"`type: {self.kind}` takes all steps in one call"
            raise Misfit(f"calls its cell once a step, at most {MAX_STEPS:,} times, here it is {steps:,}", hint=hint)
        shape = (steps, self.out) if self.output == "sequence" else (self.out,)
        return Branch(Unrolled(self.cell(features), self.output), incoming.signal.shaped(*shape))

    def cell(self, features: int) -> nn.RNNCellBase:
        """The cell.

        Raises:
            Misfit: a nonlinearity is given to a cell that has its own.
        """
        if self.kind == "rnn":
            return nn.RNNCell(features, self.out, self.bias, self.nonlinearity or "tanh")
        if self.nonlinearity is not None:
            raise Misfit(f"has a nonlinearity for `kind: rnn` alone, not for {self.kind}", key="nonlinearity")
        kind = nn.LSTMCell if self.kind == "lstm" else nn.GRUCell
        return kind(features, self.out, self.bias)

    def modules(self) -> int:
        """Itself and the cell."""
        return 2
