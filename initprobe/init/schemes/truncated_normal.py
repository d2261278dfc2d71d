"""A normal distribution without its tails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from initprobe.init.distributions import truncated_normal, truncated_std
from initprobe.init.schemes.base import EMBEDDINGS_TOO, SchemeCard, WeightScheme, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.variates import Variates


@register
class TruncatedNormal(WeightScheme):
    """N(0, std²) cut off at a and b standard deviations, for every weight, embeddings included."""

    card = SchemeCard(
        name="truncated_normal",
        family="classical",
        summary="normal without its tails, one standard deviation for all layers",
        formula="W ~ N(0, s²) given a · s <= W <= b · s; s = std / 0.8796 for ±2 when corrected, s = std when not",
        assumes="nothing",
        when="in place of normal(std=0.02) in transformers, where single large weights are unwanted",
        reference="torch.nn.init.trunc_normal_, whose a and b are absolute; corrected as in jax.nn.initializers",
        aliases=("trunc_normal",),
    )
    treatments = EMBEDDINGS_TOO

    std: float = Field(0.02, ge=0.0, description="standard deviation")
    a: float = Field(-2.0, le=30.0, description="lower end, in standard deviations of the normal")
    b: float = Field(2.0, ge=-30.0, description="upper end, likewise")
    corrected: bool = Field(default=True, description="std is that of the truncated numbers, not that before the cut")

    @model_validator(mode="after")
    def _ends_in_order(self) -> Self:
        if self.a >= self.b:
            raise ValueError(f"a is {self.a:g} and must be below b, which is {self.b:g}")
        return self

    def declared_std(self, weight: Weight) -> float:  # noqa: ARG002 - the same for all
        """What is left of the standard deviation: std itself when corrected."""
        return self._before_cut() * truncated_std(self.a, self.b)

    def draw(self, weight: Weight, variates: Variates) -> Tensor:
        """Numbers between the two ends."""
        return truncated_normal(variates, weight.shape, self._before_cut(), self.a, self.b)

    def _before_cut(self) -> float:
        return self.std / truncated_std(self.a, self.b) if self.corrected else self.std
