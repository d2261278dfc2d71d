"""Every weight zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

from initprobe.init.distributions import constant
from initprobe.init.schemes.base import EMBEDDINGS_TOO, SchemeCard, WeightScheme, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.variates import Variates


@register
class Zeros(WeightScheme):
    """Every weight zero, embeddings included."""

    card = SchemeCard(
        name="zeros",
        family="classical",
        summary="every weight zero",
        formula="W = 0",
        assumes="nothing; right for the last layer of a residual branch, a dead end for two layers in a row",
        when="for the last layer of a residual branch or a head; two such layers in a row let no gradient through",
        reference="Rumelhart, Hinton & Williams 1986, Learning representations by back-propagating errors (symmetry)",
    )
    treatments = EMBEDDINGS_TOO

    def declared_std(self, weight: Weight) -> float:  # noqa: ARG002 - the same for all
        """Zero."""
        return 0.0

    def draw(self, weight: Weight, variates: Variates) -> Tensor:  # noqa: ARG002 - nothing is random
        """Zeros."""
        return constant(weight.shape, 0.0)
