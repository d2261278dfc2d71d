"""InfoNCE: every sample has to find its partner among all the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch.nn import functional

from initprobe.load.objectives.base import Objective, ObjectiveCard, register, shapes
from initprobe.variates import Variates


@register
class Contrastive(Objective):
    """Cross-entropy over the cosines to all other samples, the label being the partner."""

    card = ObjectiveCard(
        name="contrastive",
        summary="InfoNCE over cosines: find the partner among all other samples",
        formula="-ln(exp(cos(a, b) / τ) / Σ exp(cos(a, other) / τ)), the sum over all samples but a itself",
        takes="embeddings of at least two pairs: two outputs, or one whose neighbouring samples are pairs",
        when="SimCLR and its kin. Where all samples point in one direction, all cosines are 1 and the loss is "
        "ln(samples - 1) whatever the weights: nothing to learn from",
        reference="van den Oord et al. 2018 (arXiv 1807.03748); Chen et al. 2020, SimCLR (arXiv 2002.05709), eq. 1",
        aliases=("info_nce", "nt_xent"),
    )

    temperature: Annotated[float, Field(gt=0)] = Field(0.1, description="τ, what the cosines are divided by")

    def value(self, outputs: Sequence[torch.Tensor], targets: Variates) -> torch.Tensor:  # noqa: ARG002 - none are drawn
        """Mean over all samples."""
        first, second = self._pairs(outputs)
        count = len(first)
        unit = functional.normalize(torch.cat([first, second]).flatten(1), dim=1)
        own = torch.eye(2 * count, dtype=torch.bool, device=unit.device)
        likeness = (unit @ unit.T / self.temperature).masked_fill(own, float("-inf"))
        partner = torch.arange(2 * count, device=unit.device).roll(count)
        return functional.cross_entropy(likeness, partner)

    def _pairs(self, outputs: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        if len(outputs) == 1:
            even = len(outputs[0]) // 2 * 2 if outputs[0].dim() > 1 else 0
            first, second = outputs[0][:even:2], outputs[0][1:even:2]
        else:
            first, second = outputs[0], outputs[1]
        if first.dim() < 2 or len(first) < 2 or first.shape != second.shape:
            self.unfit(shapes(outputs))
        return first, second
