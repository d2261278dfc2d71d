"""Cross-entropy: every position of the output is classified."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch.nn import functional

from initprobe.load.objectives.base import LABELS, ObjectiveCard, Supervised, register
from initprobe.variates import Variates


@register
class CrossEntropy(Supervised):
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
    labels: str | None = LABELS

    def value(self, outputs: Sequence[torch.Tensor], targets: Variates) -> torch.Tensor:
        """Mean over everything but the classes."""
        logits = outputs[0]
        axis = self.class_axis(tuple(logits.shape[1:]))
        rest = [size for place, size in enumerate(logits.shape) if place != axis]
        return self.compared(logits, targets.integers(tuple(rest), logits.shape[axis]))

    def class_axis(self, shape: tuple[int, ...]) -> int:
        """The axis of the classes in a batch of outputs that have this shape each.

        Raises:
            TargetError: there is none, or a single class.
        """
        axis = self.axis + len(shape) + 1 if self.axis < 0 else self.axis
        if not 1 <= axis <= len(shape):
            self.unfit(f"{shape} for each sample, which has no axis {self.axis} of classes")
        if shape[axis - 1] < 2:
            self.unfit(f"{shape} for each sample", hint="mse and bce take a single number")
        return axis

    def fitted(self, labels: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        """Whole numbers, one for every position, from 0 to one less than there are classes."""
        axis = self.class_axis(shape)
        classes, rest = shape[axis - 1], (*shape[: axis - 1], *shape[axis:])
        whole = not labels.is_floating_point() and not labels.is_complex() and labels.dtype != torch.bool
        fits = tuple(labels.shape[1:]) == rest and whole
        if not fits or int(labels.min()) < 0 or int(labels.max()) >= classes:
            raise self.refused(f"whole numbers from 0 to {classes - 1} of shape {rest}", labels)
        return labels.long()

    def compared(self, output: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Mean over everything but the classes."""
        moved = output.movedim(self.class_axis(tuple(output.shape[1:])), -1)
        flat = labels.to(moved.device).reshape(-1)
        return functional.cross_entropy(moved.reshape(-1, moved.shape[-1]), flat)
