"""What transformers are stacked of: feed-forward branches, residual branches with their normalizations, gates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from initprobe.load.modules.pointwise import MODULES

GATED = {"glu": "sigmoid", "reglu": "relu", "geglu": "gelu", "geglu_tanh": "gelu_tanh", "swiglu": "silu"}
"""Gated linear units and the activations of their gates."""


class FeedForward(nn.Module):
    """Two layers with an activation between them: down(f(up(x)))."""

    def __init__(self, width: int, hidden: int, activation: str, *, bias: bool = True) -> None:
        super().__init__()
        self.up = nn.Linear(width, hidden, bias)
        self.activation = MODULES[activation]()
        self.down = nn.Linear(hidden, width, bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The branch."""
        y: torch.Tensor = self.down(self.activation(self.up(x)))
        return y


class GatedFeedForward(nn.Module):
    """One layer's activation gates another one: down(f(gate(x)) * up(x))."""

    def __init__(self, width: int, hidden: int, activation: str, *, bias: bool = True) -> None:
        super().__init__()
        self.gate = nn.Linear(width, hidden, bias)
        self.up = nn.Linear(width, hidden, bias)
        self.activation = MODULES[GATED[activation]]()
        self.down = nn.Linear(hidden, width, bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The branch."""
        y: torch.Tensor = self.down(self.activation(self.gate(x)) * self.up(x))
        return y


class LayerScale(nn.Module):
    """A learned number per feature, or one for all, that a branch is multiplied by."""

    def __init__(self, features: int, value: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((features,), value))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The product."""
        return x * self.gamma


@dataclass(frozen=True, slots=True)
class Wiring:
    """How the branches of a transformer block are put together.

    Attributes:
        norms: where normalizations stand: ``pre``, ``post``, ``sandwich`` or ``none``.
        parallel: whether both branches read the same signal.
        alpha: what the skip paths are multiplied by, None for nothing.
        dropout: probability, at the end of the branches.
    """

    norms: str = "pre"
    parallel: bool = False
    alpha: float | None = None
    dropout: float = 0.0


class Wired(nn.Module):
    """Branches added to a stream, with normalizations, gates and dropout where the wiring puts them."""

    dropout: nn.Module | None

    def __init__(self, wiring: Wiring) -> None:
        super().__init__()
        self.wiring = wiring

    def joined(
        self,
        x: torch.Tensor,
        branch: nn.Module,
        norm: nn.Module | None,
        norm_out: nn.Module | None,
        gate: nn.Module | None,
    ) -> torch.Tensor:
        """The stream behind a branch."""
        made = self.ending(branch(self.before(x, norm)), norm_out, gate)
        return self.after(self.skip(x) + made, norm)

    def before(self, x: torch.Tensor, norm: nn.Module | None) -> torch.Tensor:
        """What a branch reads."""
        return x if norm is None or self.wiring.norms == "post" else norm(x)

    def after(self, x: torch.Tensor, norm: nn.Module | None) -> torch.Tensor:
        """What becomes of a sum."""
        return x if norm is None or self.wiring.norms != "post" else norm(x)

    def skip(self, x: torch.Tensor) -> torch.Tensor:
        """What the skip path brings."""
        return x if self.wiring.alpha is None else self.wiring.alpha * x

    def ending(self, x: torch.Tensor, norm: nn.Module | None, gate: nn.Module | None) -> torch.Tensor:
        """What a branch brings."""
        for module in (norm, gate, self.dropout):
            x = x if module is None else module(x)
        return x


class TransformerBlock(Wired):
    """Attention and feed-forward branches added to a stream, one after the other or both at once.

    Args:
        attention, feed_forward: the branches.
        wiring: how they are put together.
        norm: makes a normalization.
        gate: makes what a branch is multiplied by.
    """

    def __init__(
        self,
        attention: nn.Module,
        feed_forward: nn.Module,
        wiring: Wiring,
        norm: Callable[[], nn.Module],
        gate: Callable[[], nn.Module] | None = None,
    ) -> None:
        super().__init__(wiring)
        alone = wiring.parallel or wiring.norms == "none"
        self.norm1 = None if wiring.norms == "none" else norm()
        self.attention = attention
        self.norm1_out = norm() if wiring.norms == "sandwich" else None
        self.gate1 = gate() if gate else None
        self.norm2 = None if alone else norm()
        self.feed_forward = feed_forward
        self.norm2_out = norm() if wiring.norms == "sandwich" else None
        self.gate2 = gate() if gate else None
        self.dropout = nn.Dropout(wiring.dropout) if wiring.dropout else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The stream behind the block."""
        if self.wiring.parallel:
            inner = self.before(x, self.norm1)
            mixed = self.ending(self.attention(inner), None, self.gate1)
            fed = self.ending(self.feed_forward(inner), None, self.gate2)
            return self.after(self.skip(x) + mixed + fed, self.norm1)
        x = self.joined(x, self.attention, self.norm1, self.norm1_out, self.gate1)
        return self.joined(x, self.feed_forward, self.norm2, self.norm2_out, self.gate2)
