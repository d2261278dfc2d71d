"""Cross-entropy: every position of the output is classified."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch.nn import functional

from initprobe.load.objectives.base import Objective, ObjectiveCard, register, shapes
from initprobe.variates import Variates


@register
class CrossEntropy(Objective):
    """-log softmax(logits) at a label that is drawn."""

    card = ObjectiveCard(
        name="cross_entropy",
        summary="classifies every position; each label is as likely as any other",
        formula="-log softmax(z)[label], mean over samples and positions",
        takes="logits, two or more of them",
        when="classifiers and language models; at initialization the gradient of a logit is about 1 / (samples · "
        "√classes), a confident start is seen by its size",
        aliases=("ce",),
    )

    axis: int = Field(-1, description="the axis of the logits that counts the classes; 1 for maps of images")

    def value(self, outputs: Sequence[torch.Tensor], targets: Variates) -> torch.Tensor:
        """Mean over everything but the classes."""
        logits = outputs[0]
        axis = self.axis + logits.dim() if self.axis < 0 else self.axis
        if not 1 <= axis < logits.dim():
            self.unfit(f"{shapes(outputs[:1])}, which has no axis {self.axis} of classes")
        classes = logits.shape[axis]
        if classes < 2:
            self.unfit(f"{shapes(outputs[:1])}", hint="mse and bce take a single number")
        moved = logits.movedim(axis, -1)
        labels = targets.integers(tuple(moved.shape[:-1]), classes).to(moved.device)
        return functional.cross_entropy(moved.reshape(-1, classes), labels.reshape(-1))
