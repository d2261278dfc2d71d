"""Every weight the same number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.distributions import constant
from initprobe.init.schemes.base import EMBEDDINGS_TOO, SchemeCard, WeightScheme, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.variates import Variates


@register
class Constant(WeightScheme):
    """Every weight the same number, embeddings included."""

    card = SchemeCard(
        name="constant",
        family="classical",
        summary="every weight the same number",
        formula="W = value",
        assumes="nothing; every unit of a layer then computes the same, and gets the same gradient",
        when="to see symmetry fail (all units of a layer stay the same), or in an override for gates and biases",
        reference="Rumelhart, Hinton & Williams 1986, Learning representations by back-propagating errors (symmetry)",
    )
    treatments = EMBEDDINGS_TOO

    value: float = Field(0.1, description="the number")

    def declared_std(self, weight: Weight) -> float:  # noqa: ARG002 - the same for all
        """Zero: the numbers do not differ."""
        return 0.0

    def draw(self, weight: Weight, variates: Variates) -> Tensor:  # noqa: ARG002 - nothing is random
        """The value everywhere."""
        return constant(weight.shape, self.value)
