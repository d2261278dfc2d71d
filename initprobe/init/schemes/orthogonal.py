"""Orthogonal matrices: linear layers that keep every length, not just lengths on average."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.distributions import haar
from initprobe.init.fans import Gain, UndrawableError, input_gain
from initprobe.init.schemes.base import SchemeCard, WeightScheme, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.variates import Variates


@register
class Orthogonal(WeightScheme):
    """Haar-distributed semi-orthogonal matrices, times a gain."""

    card = SchemeCard(
        name="orthogonal",
        family="classical",
        summary="semi-orthogonal, times the gain of the activation before it",
        formula="W = gain · Q with Q Qᵀ = 1 or Qᵀ Q = 1, one row per output; variance gain² / max(rows, columns)",
        assumes="square layers, or as many outputs as inputs on average: a semi-orthogonal map to fewer units loses "
        "length",
        when="for deep plain networks, tanh above all; a convolution is an isometry of patches so, not of images",
        reference="Saxe et al. 2014 (arXiv 1312.6120); signs as in Mezzadri 2007 (arXiv math-ph/0609050)",
    )

    gain: Gain = Field(
        "auto", description="auto: 1 / √(E f²) of the activation before the weight, 1 where there is none"
    )

    def declared_std(self, weight: Weight) -> float:
        """The gain over √max(rows, columns)."""
        return self._gain(weight) / math.sqrt(max(self._extents(weight)))

    def draw(self, weight: Weight, variates: Variates) -> Tensor:
        """A semi-orthogonal matrix, float64, from the QR decomposition of normal numbers."""
        rows, columns = self._extents(weight)
        axis = weight.unit_axis or 0
        numbers = variates.normal(weight.shape).double().movedim(axis, 0)
        values = haar(numbers.reshape(rows, columns)).reshape(numbers.shape).movedim(0, axis)
        return values.mul_(self._gain(weight))

    def _gain(self, weight: Weight) -> float:
        return input_gain(weight) if self.gain == "auto" else self.gain

    @staticmethod
    def _extents(weight: Weight) -> tuple[int, int]:
        """Rows and columns: outputs, and what each of them sums over."""
        if len(weight.shape) < 2 or 0 in weight.shape:
            raise UndrawableError(f"a tensor of shape {weight.shape} has no rows and columns")
        units = weight.shape[weight.unit_axis or 0]
        return units, math.prod(weight.shape) // units
