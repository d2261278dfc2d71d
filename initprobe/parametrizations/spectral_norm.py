"""Spectral normalization: the weight is divided by its largest singular value."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import nn
from torch.nn.utils import parametrizations

from initprobe.parametrizations.base import (
    Layout,
    Parametrization,
    ParametrizationCard,
    random_state_kept,
    register,
    settle,
)

Count = Annotated[int, Field(ge=1)]


@register
class SpectralNorm(Parametrization):
    """W = w / σ_max(w), as torch computes it."""

    card = ParametrizationCard(
        name="spectral_norm",
        summary="divided by its largest singular value, so that a layer stretches no signal",
        formula="W = w / σ_max(w), σ_max estimated by power iterations, one output per row",
        when="for discriminators, whose Lipschitz constant it bounds; a normal weight then multiplies variances by "
        "fan_out / (√fan_in + √fan_out)², a quarter where they are equal, whatever its scale. Of a convolution it "
        "bounds the matrix of filters, not the map of images",
        reference="Miyato et al. 2018 (arXiv 1802.05957), eq. 8",
        keeps=False,
        aliases=("sn",),
    )

    power_iterations: Count = Field(1, description="steps of the power iteration in every pass of training")

    def attach(self, module: nn.Module, tensor: str, layout: Layout) -> None:
        """Torch's own, with its estimate at rest; it starts from random vectors, which are nobody else's business."""
        axis = layout.filters.unit_axis
        with random_state_kept(getattr(module, tensor)):
            parametrizations.spectral_norm(module, tensor, n_power_iterations=self.power_iterations, dim=axis)
        settle(module, tensor)
