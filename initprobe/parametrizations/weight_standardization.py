"""Weight standardization: every filter is centred and scaled to one variance in every forward pass."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils import parametrize

from initprobe.parametrizations.base import Filters, Layout, Parametrization, ParametrizationCard, register

Factor = Annotated[float, Field(gt=0.0)]

SMALLEST_SCALED = 1e-4
"""Of fan_in times the variance of a filter, as in the code of NF-Nets."""

SMALLEST_PLAIN = 1e-10
"""Of the variance of a filter."""


class Standardized(nn.Module):
    """Stored filters without their means, at a variance of ``target``² each.

    Attributes:
        factor: a learned factor per output, from 1; None where there is none.
    """

    def __init__(self, filters: Filters, target: float, smallest: float, factor: nn.Parameter | None) -> None:
        super().__init__()
        self.filters = filters
        self.target = target
        self.smallest = smallest
        self.factor = factor

    def forward(self, stored: Tensor) -> Tensor:
        """What the layer sees: mean 0 per filter; computed in float32 at least."""
        wide = self.filters.split(stored.to(torch.promote_types(stored.dtype, torch.float32)))
        centred = wide - self.filters.mean(wide)
        variance = self.filters.mean(centred.square())
        scale = variance.clamp(min=self.smallest).rsqrt() * self.target
        if self.factor is not None:
            scale = scale * self.filters.per_unit(self.factor, wide)
        return self.filters.join(centred * scale).to(stored.dtype)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """The weight itself: a filter with another mean or variance cannot be kept."""
        return weight

    def extra_repr(self) -> str:
        """The standard deviation of a filter, for ``print(model)``."""
        return f"std={self.target:.6g}, learned={self.factor is not None}"


@register
class WeightStandardization(Parametrization):
    """W = gain · (w - mean) / √(fan_in · var) per filter, or without fan_in."""

    card = ParametrizationCard(
        name="weight_standardization",
        summary="every filter has mean 0 and norm 1 (scaled) or standard deviation 1 (plain)",
        formula="scaled: W = gain · (w - mean(w)) / √max(fan_in · var(w), 1e-4) per output; "
        "plain: W = gain · (w - mean(w)) / √max(var(w), 1e-10)",
        when="scaled for networks without normalization (NF-ResNets), behind activations of variance 1, or with a gain "
        "of 1 / √Var f (relu 1.712859); plain in front of a normalization, as with group normalization and small "
        "batches. A filter of one weight has no variance",
        reference="Brock et al. 2021 (arXiv 2101.08692), Scaled Weight Standardization; smallest variances as in the "
        "authors' nfnets/base.py; plain: Qiao et al. 2019 (arXiv 1903.10520), with the variance of all n weights",
        keeps=False,
        aliases=("ws",),
    )

    scaled: bool = Field(
        True,  # noqa: FBT003 - the field's default
        description="whether a filter has norm 1, so that a layer keeps variances; else its weights have variance 1",
    )
    gain: Factor = Field(1.0, description="a constant factor; 1 / √Var f where the activation is not scaled itself")
    learned: bool = Field(
        False,  # noqa: FBT003 - likewise
        description="whether every output has a learned factor, which starts at 1",
    )

    def attach(self, module: nn.Module, tensor: str, layout: Layout) -> None:
        """Standardizes by filter; a transposed convolution's norm is that of the taps that one output sums over."""
        factor = nn.Parameter(getattr(module, tensor).detach().new_ones(layout.units)) if self.learned else None
        if self.scaled:
            target, smallest = self.gain * layout.fan_in**-0.5, SMALLEST_SCALED / layout.fan_in
        else:
            target, smallest = self.gain, SMALLEST_PLAIN
        parametrize.register_parametrization(module, tensor, Standardized(layout.filters, target, smallest, factor))
