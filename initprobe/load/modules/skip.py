"""What residual connections are made of: a branch, its gate, its scale, its drop path, and what follows the sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

GateKind = Literal["none", "rezero", "skipinit", "scalar", "layerscale"]

STARTS: dict[str, float] = {"rezero": 0.0, "skipinit": 0.0, "scalar": 1.0, "layerscale": 1e-5}
"""What the numbers of a gate start at."""


class ScalarGate(nn.Module):
    """One learned number that a branch is multiplied by."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.full((), value))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The product."""
        return self.alpha * x


class ChannelGate(nn.Module):
    """A learned number per channel that a branch is multiplied by.

    Args:
        channels: how many.
        value: what they start at.
        behind: how many axes stand behind that of the channels.
    """

    def __init__(self, channels: int, value: float, behind: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((channels, *(1,) * behind), value))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The product."""
        return self.gamma * x


class DropPath(nn.Module):
    """Drops whole samples of a branch while it trains, and scales up the others (stochastic depth)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Zeros for some of the samples; the expectation is x."""
        if not self.training or self.p == 0.0:
            return x
        kept = torch.rand((x.shape[0], *(1,) * (x.dim() - 1)), dtype=x.dtype, device=x.device) >= self.p
        return x * kept / max(1.0 - self.p, 1e-12)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"


@dataclass(frozen=True, slots=True)
class Ending:
    """What happens to a branch before it is added, and to the sum.

    Attributes:
        gate: multiplies the branch.
        scale: a fixed number that multiplies it.
        drop_path: drops it for some of the samples.
        activation: follows the sum.
    """

    gate: nn.Module | None = None
    scale: float = 1.0
    drop_path: nn.Module | None = None
    activation: nn.Module | None = None


class Sum(nn.Module):
    """A skip path and a branch that are added."""

    def __init__(self, ending: Ending) -> None:
        super().__init__()
        self.gate = ending.gate
        self.scale = ending.scale
        self.drop_path = ending.drop_path
        self.activation = ending.activation

    def add(self, skip: torch.Tensor, branch: torch.Tensor) -> torch.Tensor:
        """The sum."""
        if self.gate is not None:
            branch = self.gate(branch)
        if self.scale != 1.0:
            branch = self.scale * branch
        if self.drop_path is not None:
            branch = self.drop_path(branch)
        total = skip + branch
        return total if self.activation is None else self.activation(total)


class SkipConnection(Sum):
    """shortcut(x) + body(x); the shortcut is the identity when there is none."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None, ending: Ending) -> None:
        super().__init__(ending)
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum."""
        skip: torch.Tensor = x if self.shortcut is None else self.shortcut(x)
        return self.add(skip, self.body(x))


def channel_axis(shape: tuple[int, ...]) -> int:
    """Where the channels of a sample are: first in images and volumes, last in vectors and sequences of tokens."""
    return 0 if len(shape) > 2 else len(shape) - 1


def make_gate(kind: GateKind, value: float | None, shape: tuple[int, ...]) -> nn.Module | None:
    """The gate of a branch whose samples have that shape; None where it has none."""
    if kind == "none":
        return None
    start = STARTS[kind] if value is None else value
    if kind == "layerscale" and shape:
        axis = channel_axis(shape)
        return ChannelGate(shape[axis], start, len(shape) - 1 - axis)
    return ScalarGate(start)
