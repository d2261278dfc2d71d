"""The uniform distribution that Glorot & Bengio call standard."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.distributions import uniform
from initprobe.init.fans import Factor, fan
from initprobe.init.schemes.base import SchemeCard, WeightScheme, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.variates import Variates


@register
class Uniform(WeightScheme):
    """U(-limit, limit), the limit 1 / √fan_in unless it is given."""

    card = SchemeCard(
        name="uniform",
        family="classical",
        summary="uniform up to 1 / √fan_in: a third of the variance that keeps a linear signal",
        formula="W ~ U(-limit, limit), limit = 1 / √fan_in; variance limit² / 3",
        assumes="nothing; named the standard initialization by Glorot & Bengio (2010, eq. 1) and criticized there",
        when="as the historical baseline; signals shrink by about √(1/3) per linear layer",
        reference="Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward networks, eq. 1",
        aliases=("glorot_standard",),
    )

    limit: Factor | None = Field(None, description="half width, None for 1 / √fan_in")

    def declared_std(self, weight: Weight) -> float:
        """The limit over √3."""
        return self._limit(weight) / math.sqrt(3.0)

    def draw(self, weight: Weight, variates: Variates) -> Tensor:
        """Uniform numbers."""
        return uniform(variates, weight.shape, self._limit(weight))

    def _limit(self, weight: Weight) -> float:
        return self.limit if self.limit is not None else 1.0 / math.sqrt(fan(weight, "fan_in"))
