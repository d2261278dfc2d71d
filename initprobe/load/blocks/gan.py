"""Generative adversarial networks: a generator, and a discriminator that sees fakes and real data."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import Branch, Incoming, Layer, Layers, Misfit, PerAxis, Shape, Signal, block

Logits = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class AdversarialPair(nn.Module):
    """The discriminator's logits of fakes, of the same fakes cut off from the generator, and of real data.

    One input is enough: it is the noise that the generator starts from, and real data are drawn; or, with ``latent``,
    it is the real data, and the noise is drawn.
    """

    def __init__(self, generator: nn.Module, discriminator: nn.Module, latent: Shape | None) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.latent = latent

    def forward(self, x: torch.Tensor) -> Logits:
        """Three passes of the discriminator: the first carries the generator's gradient, the others its own."""
        noise = x
        if self.latent is not None:
            noise = torch.randn((len(x), *self.latent), dtype=x.dtype, device=x.device)
        fake = self.generator(noise)
        real = torch.randn_like(fake) if self.latent is None else x
        return self.discriminator(fake), self.discriminator(fake.detach()), self.discriminator(real)


@block("gan")
class Gan(Layer):
    """A generator and a discriminator, which sees fakes, the same fakes cut off, and real data; it ends a network.

    Its outputs are the logits of all three: what the objective `gan` takes.
    """

    ends: ClassVar[bool] = True

    generator: Layers = Field(description="From noise to data")
    discriminator: Layers = Field(description="From data to logits")
    latent: PerAxis | None = Field(
        default=None,
        description="Shape of the noise; what reaches the layer is then real data. When not given, what reaches it is "
        "the noise, and standard normal numbers stand for real data",
    )

    def build(self, incoming: Incoming) -> Branch:
        """``AdversarialPair`` with ``generator`` and ``discriminator``."""
        latent: Shape | None = None
        if self.latent is not None:
            latent = (self.latent,) if isinstance(self.latent, int) else tuple(self.latent)
        noise = incoming.signal if latent is None else Signal(latent)
        generator = incoming.sequence(self.generator, "generator", name="generator", signal=noise)
        if latent is not None and generator.signal.shape != incoming.shape:
            message = f"needs fakes of the data's shape {incoming.shape}, its generator ends with "
            raise Misfit(message + str(generator.signal.shape), key="generator")
        judged = incoming.sequence(self.discriminator, "discriminator", name="discriminator", signal=generator.signal)
        return Branch(AdversarialPair(generator.module, judged.module, latent), judged.signal)

    def modules(self) -> int:
        """Itself, two containers, and what is in them."""
        return 3 + sum(layer.modules() for layer in (*self.generator, *self.discriminator))
