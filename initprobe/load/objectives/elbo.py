"""The evidence lower bound of a variational autoencoder, with a weight on its second half."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch.nn import functional

from initprobe.load.objectives.base import Objective, ObjectiveCard, drawn, register, shapes
from initprobe.variates import Variates


@register
class Elbo(Objective):
    """Reconstruction error plus the divergence of the code from a standard normal one."""

    card = ObjectiveCard(
        name="elbo",
        summary="the negative evidence lower bound of a VAE: reconstruction, and a KL divergence with its weight",
        formula="½ Σ (x - y)² + kl_weight · ½ Σ (μ² + exp(v) - 1 - v), v the log-variance, sums over a sample, mean "
        "over samples",
        takes="(reconstruction, mean, log-variance, input), or the first three, and the input is drawn",
        when="VAEs; kl_weight above 1 is a β-VAE. A log-variance far above 0 at initialization makes exp(v) take over: "
        "its layer wants a small init",
        reference="Kingma & Welling 2014 (arXiv 1312.6114), eq. 10; Higgins et al. 2017, β-VAE",
    )

    kl_weight: Annotated[float, Field(ge=0)] = Field(1.0, description="weight of the KL divergence, β")
    reconstruction: Literal["mse", "bce"] = Field(
        "mse", description="½ squared error, or cross-entropy with data from 0 to 1 (values beyond are cut off)"
    )

    def value(self, outputs: Sequence[torch.Tensor], targets: Variates) -> torch.Tensor:
        """Of one sample on average."""
        if len(outputs) not in (3, 4) or outputs[1].shape != outputs[2].shape:
            self.unfit(shapes(outputs), hint="a `vae` block ends with these four")
        y, mean, log_variance, *rest = outputs
        x = rest[0].detach() if rest else drawn(targets.normal(tuple(y.shape)), y)
        if x.shape != y.shape:
            self.unfit(f"a reconstruction of shape {tuple(y.shape)} for an input of shape {tuple(x.shape)}")
        if self.reconstruction == "mse":
            error = functional.mse_loss(y, x, reduction="sum") / 2
        else:
            error = functional.binary_cross_entropy_with_logits(y, x.clamp(0, 1), reduction="sum")
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum() / 2
        return (error + self.kl_weight * divergence) / max(len(y), 1)
