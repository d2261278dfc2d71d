"""Mean squared error: the output is compared with standard normal numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from initprobe.load.objectives.base import LABELS, ObjectiveCard, Supervised, as_output, drawn, register
from initprobe.variates import Variates


@register
class MeanSquaredError(Supervised):
    """(y - target)², the target standard normal."""

    card = ObjectiveCard(
        name="mse",
        summary="compares every number with a standard normal one",
        formula="(y - t)², mean over all numbers, t ~ N(0, 1) or a label",
        takes="numbers of any shape",
        when="regression on standardized targets; an output far above 1 makes it blow up with the square",
        aliases=("l2",),
    )

    labels: str | None = LABELS

    def value(self, outputs: Sequence[torch.Tensor], targets: Variates) -> torch.Tensor:
        """Of the first output."""
        y = outputs[0]
        return self.compared(y, drawn(targets.normal(tuple(y.shape)), y))

    def fitted(self, labels: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        """Any finite numbers in the shape of the output."""
        found = as_output(labels, shape)
        if found is None or not bool(labels.isfinite().all()):
            raise self.refused(f"finite numbers of shape {shape}", labels)
        return found

    def compared(self, output: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Mean over all numbers."""
        return functional.mse_loss(output, drawn(labels, output))
