"""Binary weights: the signs of what is stored, times one number per filter."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from initprobe.parametrizations.base import Filters, Layout, Parametrization, ParametrizationCard, register


class Signs(nn.Module):
    """α · sign(w), whose gradient goes straight through."""

    def __init__(self, filters: Filters) -> None:
        super().__init__()
        self.filters = filters

    def forward(self, stored: Tensor) -> Tensor:
        """What the layer sees: two values per filter.

        The gradient is that of the paper's section 3.1, (1 / n + α · [|w| < 1]) times that of the binary weight.
        """
        real = self.filters.split(stored.detach().to(torch.promote_types(stored.dtype, torch.float32)))
        alpha = self.filters.mean(real.abs())
        # torch.sign knows a third value, zero.
        binary = torch.where(real >= 0.0, alpha, -alpha)
        share = alpha.numel() / real.numel()
        slope = share + alpha * (real.abs() < 1.0)
        # The difference is an exact zero, so that the value is exactly binary and the slope reaches the gradient alone.
        zero = (stored - stored.detach()) * self.filters.join(slope).to(stored.dtype)
        return self.filters.join(binary).to(stored.dtype) + zero

    def right_inverse(self, weight: Tensor) -> Tensor:
        """The weight itself: its signs and its mean absolute values per filter are kept, nothing else is."""
        return weight


@register
class Binary(Parametrization):
    """W = α · sign(w), α the mean of |w| per filter."""

    card = ParametrizationCard(
        name="binary",
        summary="the sign of every weight times the mean absolute value of its filter",
        formula="W = α · sign(w), α = mean |w| per output, sign(0) = 1; "
        "dL/dw = (1 / n + α · [|w| < 1]) · dL/dW, n the size of a filter",
        when="to compress a network to one bit per weight; leave the first and the last layer real. α minimizes "
        "|w - α · sign(w)|², yet the variance falls to 2/π of a normal weight's: a normalization has to make up for it",
        reference="Rastegari et al. 2016, XNOR-Net (arXiv 1603.05279), eq. 6 and section 3.1",
        keeps=False,
    )

    def attach(self, module: nn.Module, tensor: str, layout: Layout) -> None:
        """Binary filters; what was the weight becomes the real numbers behind them."""
        parametrize.register_parametrization(module, tensor, Signs(layout.filters))
