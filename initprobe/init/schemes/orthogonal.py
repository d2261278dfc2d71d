"""Orthogonal matrices: linear layers that keep every length, not just lengths on average."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.fans import Gain, UndrawableError, input_gain
from initprobe.init.schemes.base import Scheme, SchemeCard, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.variates import Variates


@register
class Orthogonal(Scheme):
    """Haar-distributed semi-orthogonal matrices, times a gain."""

    card = SchemeCard(
        name="orthogonal",
        summary="semi-orthogonal, times the gain of the activation before it",
        formula="W = gain · Q with Q Qᵀ = 1 or Qᵀ Q = 1, one row per output; variance gain² / max(rows, columns)",
        when="for deep plain networks, tanh above all; a convolution is an isometry of patches so, not of images",
        reference="Saxe et al. 2014 (arXiv 1312.6120); signs as in Mezzadri 2007 (arXiv math-ph/0609050)",
    )

    gain: Gain = Field(
        "auto", description="auto: 1 / √(E f²) of the activation before the weight, 1 where there is none"
    )

    def declared_std(self, weight: Weight) -> float:
        """The gain over √max(rows, columns), of one block where several are packed into one parameter."""
        _, rows, columns = self._blocks(weight)
        return self._gain(weight) / math.sqrt(max(rows, columns))

    def draw(self, weight: Weight, variates: Variates) -> Tensor:
        """One semi-orthogonal matrix per block, float64, from the QR decomposition of normal numbers.

        The diagonal of R is made positive: without that the distribution depends on the algorithm, and is not Haar's.
        """
        import torch

        blocks, rows, columns = self._blocks(weight)
        axis = weight.unit_axis or 0
        numbers = variates.normal(weight.shape).double().movedim(axis, 0)
        tall = numbers.reshape(blocks, rows, columns)
        tall = tall.mT if rows < columns else tall
        q, r = torch.linalg.qr(tall)
        q = q * torch.where(r.diagonal(dim1=-2, dim2=-1) < 0.0, -1.0, 1.0).unsqueeze(-2)
        q = q.mT if rows < columns else q
        values: Tensor = q.reshape(numbers.shape).movedim(0, axis) * self._gain(weight)
        return values

    def _gain(self, weight: Weight) -> float:
        return input_gain(weight) if self.gain == "auto" else self.gain

    @staticmethod
    def _blocks(weight: Weight) -> tuple[int, int, int]:
        """Number of packed matrices (gates, or query, key and value), and the shape of each."""
        if len(weight.shape) < 2 or 0 in weight.shape:
            raise UndrawableError(f"a tensor of shape {weight.shape} has no rows and columns")
        units = weight.shape[weight.unit_axis or 0]
        columns = math.prod(weight.shape) // units
        blocks = 1
        if weight.role in ("linear", "recurrent") and len(weight.shape) == 2 and weight.fan_out:
            blocks = units // int(weight.fan_out) if units % weight.fan_out == 0 else 1
        return blocks, units // blocks, columns
