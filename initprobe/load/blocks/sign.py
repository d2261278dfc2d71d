"""Binary activations: the sign of every number, with a gradient that passes straight through."""

from __future__ import annotations

import torch
from torch import nn

from initprobe.load.blocks.base import Branch, Incoming, Layer, block


class Sign(nn.Module):
    """1 where x >= 0, else -1; the gradient is that of the identity where |x| <= 1, and zero elsewhere."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Signs, straight through (Courbariaux et al. 2016, eq. 4)."""
        fixed = x.detach()
        # An exact zero whose slope is 1 or 0, so that the value is exactly binary. It is made by operations that no
        # report takes for a layer of its own.
        through = torch.rsub(fixed, x).masked_fill(fixed.abs() > 1.0, 0.0)
        return torch.where(fixed >= 0.0, 1.0, -1.0).to(x.dtype) + through


@block("sign", aliases=("binary_activation",))
class SignLayer(Layer):
    """Signs, 1 and -1; gradients pass straight through where |x| <= 1."""

    def build(self, incoming: Incoming) -> Branch:
        """``Sign``."""
        return Branch(Sign(), incoming.signal)
