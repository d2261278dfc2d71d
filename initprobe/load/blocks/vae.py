"""Variational autoencoders: an encoder, a code that is drawn, and a decoder."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import Branch, Count, Incoming, Layer, Layers, Misfit, block

Outputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


class VariationalAutoencoder(nn.Module):
    """decoder(z) with z = mean + exp(log_variance / 2) · noise, as Kingma & Welling reparametrize it."""

    def __init__(self, encoder: nn.Module, features: int, latent: int, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.mean = nn.Linear(features, latent)
        self.log_variance = nn.Linear(features, latent)
        self.decoder = decoder

    def forward(self, x: torch.Tensor) -> Outputs:
        """The reconstruction, mean and log-variance of the code, and the input, for the ELBO."""
        hidden = self.encoder(x)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        code = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        return self.decoder(code), mean, log_variance, x


@block("vae")
class Vae(Layer):
    """A variational autoencoder: encoder, a code drawn from N(mean, exp(log_variance)), decoder; it ends a network.

    Its outputs are the reconstruction, the mean, the log-variance and the input: what the objective `elbo` takes.
    """

    ends: ClassVar[bool] = True

    encoder: Layers = Field(description="From the input to features, which linear heads read mean and log-variance off")
    latent: Count = Field(description="Numbers in the code")
    decoder: Layers = Field(description="From the code to a reconstruction in the shape of the input")

    def build(self, incoming: Incoming) -> Branch:
        """``VariationalAutoencoder`` with ``encoder``, ``mean``, ``log_variance`` and ``decoder``."""
        encoder = incoming.sequence(self.encoder, "encoder", name="encoder")
        if len(encoder.signal.shape) != 1:
            message = f"needs an encoder that ends with features, here it ends with {encoder.signal.shape}"
            raise Misfit(message, key="encoder", hint="end it with flatten")
        decoder = incoming.sequence(self.decoder, "decoder", name="decoder", signal=encoder.signal.shaped(self.latent))
        if decoder.signal.shape != incoming.shape:
            message = f"reconstructs {incoming.shape}, its decoder ends with {decoder.signal.shape}"
            raise Misfit(message, key="decoder")
        (features,) = encoder.signal.shape
        model = VariationalAutoencoder(encoder.module, features, self.latent, decoder.module)
        return Branch(model, decoder.signal)

    def modules(self) -> int:
        """Itself, two containers, two heads, and what is in the containers."""
        return 5 + sum(layer.modules() for layer in (*self.encoder, *self.decoder))
