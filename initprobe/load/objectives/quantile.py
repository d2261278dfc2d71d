"""Quantile regression: an error above and an error below weigh differently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field

from initprobe.load.objectives.base import Objective, ObjectiveCard, drawn, register, shapes
from initprobe.variates import Variates

Level = Annotated[float, Field(gt=0, lt=1)]


@register
class Quantile(Objective):
    """max(q (t - y), (q - 1) (t - y)), the pinball loss."""

    card = ObjectiveCard(
        name="quantile",
        summary="the pinball loss of every quantile, the target standard normal",
        formula="max(q · (t - y), (q - 1) · (t - y)), mean over all, t ~ N(0, 1), one t for all quantiles",
        takes="one number per level along its last axis",
        when="value at risk, prediction intervals; a gradient of a size that does not depend on the error",
        reference="Koenker & Bassett 1978, Regression Quantiles, Econometrica 46",
        aliases=("pinball",),
    )

    levels: Annotated[list[Level], Field(min_length=1)] = Field(
        [0.05, 0.5, 0.95], description="the quantiles, one for each number along the last axis of the output"
    )

    def value(self, outputs: Sequence[torch.Tensor], targets: Variates) -> torch.Tensor:
        """Of the first output; with one level, each of its numbers is that quantile."""
        y = outputs[0]
        if len(self.levels) > 1 and (y.dim() < 2 or y.shape[-1] != len(self.levels)):
            self.unfit(f"{shapes(outputs[:1])} for {len(self.levels)} levels", hint="levels=[0.1, 0.5, 0.9]")
        shared = tuple(y.shape) if len(self.levels) == 1 else (*y.shape[:-1], 1)
        error = drawn(targets.normal(shared), y) - y
        levels = torch.tensor(self.levels, dtype=y.dtype, device=y.device)
        return torch.maximum(levels * error, (levels - 1) * error).mean()
