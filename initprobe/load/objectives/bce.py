"""Binary cross-entropy: every number of the output is the logit of a yes or no of its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch.nn import functional

from initprobe.load.objectives.base import LABELS, ObjectiveCard, Supervised, as_output, drawn, register
from initprobe.variates import Variates


@register
class BinaryCrossEntropy(Supervised):
    """-log of the probability of a yes or no that is drawn."""

    card = ObjectiveCard(
        name="bce",
        summary="asks every number for a yes or a no, either as likely",
        formula="log(1 + exp(-s · z)), s = ±1, mean over all numbers",
        takes="logits of any shape (probabilities with logits=False)",
        when="binary and multi-label classifiers",
    )

    logits: bool = Field(
        True,  # noqa: FBT003 - the field's default
        description="whether the output are logits; else they are probabilities, behind a sigmoid",
    )
    labels: str | None = LABELS

    def value(self, outputs: Sequence[torch.Tensor], targets: Variates) -> torch.Tensor:
        """Of the first output."""
        y = outputs[0]
        return self.compared(y, targets.integers(tuple(y.shape), 2))

    def fitted(self, labels: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        """Probabilities of a yes in the shape of the output: 0, 1, or between them."""
        found = as_output(labels, shape)
        if found is None or bool(((labels < 0) | (labels > 1) | (labels != labels)).any()):  # noqa: PLR0124 - nan
            raise self.refused(f"numbers from 0 to 1 of shape {shape}", labels)
        return found

    def compared(self, output: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Mean over all numbers."""
        wanted = drawn(labels, output)
        if self.logits:
            return functional.binary_cross_entropy_with_logits(output, wanted)
        if float(output.detach().min()) < 0 or float(output.detach().max()) > 1:
            self.unfit("numbers outside 0 to 1, which are no probabilities", hint="bce(logits=True) takes any number")
        return functional.binary_cross_entropy(output, wanted)
