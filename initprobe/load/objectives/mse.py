"""Mean squared error: the output is compared with standard normal numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from initprobe.load.objectives.base import Objective, ObjectiveCard, drawn, register
from initprobe.variates import Variates


@register
class MeanSquaredError(Objective):
    """(y - target)², the target standard normal."""

    card = ObjectiveCard(
        name="mse",
        summary="compares every number with a standard normal one",
        formula="(y - t)², mean over all numbers, t ~ N(0, 1)",
        takes="numbers of any shape",
        when="regression on standardized targets; an output far above 1 makes it blow up with the square",
        aliases=("l2",),
    )

    def value(self, outputs: Sequence[torch.Tensor], targets: Variates) -> torch.Tensor:
        """Of the first output."""
        y = outputs[0]
        return functional.mse_loss(y, drawn(targets.normal(tuple(y.shape)), y))
