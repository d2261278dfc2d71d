"""A normal distribution whose width knows nothing of the layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.distributions import normal
from initprobe.init.schemes.base import EMBEDDINGS_TOO, SchemeCard, WeightScheme, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.variates import Variates


@register
class Normal(WeightScheme):
    """N(0, std²) for every weight, embeddings included."""

    card = SchemeCard(
        name="normal",
        family="classical",
        summary="normal with one standard deviation for all layers, small unless said otherwise",
        formula="W ~ N(0, std²)",
        assumes="nothing",
        when="as a baseline, or with std=0.02 in transformers; a layer's second moment grows by fan_in · std² · E f²",
        reference="Krizhevsky et al. 2012, ImageNet Classification with Deep Convolutional Neural Networks, section 5",
        aliases=("small_normal",),
    )
    treatments = EMBEDDINGS_TOO

    std: float = Field(0.01, ge=0.0, description="standard deviation")

    def declared_std(self, weight: Weight) -> float:  # noqa: ARG002 - the same for all
        """The option."""
        return self.std

    def draw(self, weight: Weight, variates: Variates) -> Tensor:
        """Normal numbers."""
        return normal(variates, weight.shape, self.std)


@register
class LargeNormal(Normal):
    """N(0, 1) for every weight, embeddings included."""

    card = SchemeCard(
        name="large_normal",
        family="classical",
        summary="normal with standard deviation 1 for all layers: far too wide but for fans near 1",
        formula="W ~ N(0, std²), std = 1",
        assumes="nothing",
        when="to see signals explode (relu: fan_in / 2 per layer in the second moment) or saturate (tanh, sigmoid)",
        reference="torch.nn.init.normal_ with its defaults",
    )

    std: float = Field(1.0, ge=0.0, description="standard deviation")
