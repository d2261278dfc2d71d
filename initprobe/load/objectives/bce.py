"""Binary cross-entropy: every number of the output is the logit of a yes or no of its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch.nn import functional

from initprobe.load.objectives.base import Objective, ObjectiveCard, drawn, register
from initprobe.variates import Variates


@register
class BinaryCrossEntropy(Objective):
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

    def value(self, outputs: Sequence[torch.Tensor], targets: Variates) -> torch.Tensor:
        """Of the first output."""
        y = outputs[0]
        labels = drawn(targets.integers(tuple(y.shape), 2), y)
        if self.logits:
            return functional.binary_cross_entropy_with_logits(y, labels)
        if float(y.detach().min()) < 0 or float(y.detach().max()) > 1:
            self.unfit("numbers outside 0 to 1, which are no probabilities", hint="bce(logits=True) takes any number")
        return functional.binary_cross_entropy(y, labels)
