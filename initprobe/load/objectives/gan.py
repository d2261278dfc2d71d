"""The losses of both players of a generative adversarial network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field
from torch.nn.functional import relu, softplus

from initprobe.load.objectives.base import Objective, ObjectiveCard, register, shapes
from initprobe.variates import Variates

Term = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Game:
    """What each player pays for a logit.

    Attributes:
        fooled: the generator, for a fake.
        fake: the discriminator, for a fake.
        real: the discriminator, for real data.
    """

    fooled: Term
    fake: Term
    real: Term


GAMES: Mapping[str, Game] = {
    "non_saturating": Game(lambda d: softplus(-d), softplus, lambda d: softplus(-d)),
    "hinge": Game(torch.neg, lambda d: relu(1 + d), lambda d: relu(1 - d)),
    "wasserstein": Game(torch.neg, torch.clone, torch.neg),
    "least_squares": Game(lambda d: (d - 1).square() / 2, lambda d: d.square() / 2, lambda d: (d - 1).square() / 2),
}


@register
class Gan(Objective):
    """What generator and discriminator pay."""

    card = ObjectiveCard(
        name="gan",
        summary="both players of a GAN, or one of them",
        formula="non_saturating: ln(1 + e^-D(G)) + ln(1 + e^D(G)) + ln(1 + e^-D(x)); hinge: -D(G) + max(0, 1 + D(G)) + "
        "max(0, 1 - D(x)); wasserstein: -D(G) + D(G) - D(x); least_squares: ½ ((D(G) - 1)² + D(G)² + (D(x) - 1)²); the "
        "first term is the generator's, and the second does not reach it",
        takes="logits of (fakes, the same fakes cut off from the generator, real data), or (fakes, real data) for one "
        "player",
        when="GANs. Each pass of the discriminator is a call site of its own: the first carries the generator's "
        "gradient, the others the discriminator's. wasserstein is without its gradient penalty",
        reference="Goodfellow et al. 2014 (arXiv 1406.2661); Lim & Ye 2017 (arXiv 1705.02894); Arjovsky et al. 2017 "
        "(arXiv 1701.07875); Mao et al. 2017 (arXiv 1611.04076)",
    )

    kind: Literal["non_saturating", "hinge", "wasserstein", "least_squares"] = Field(
        "non_saturating", description="which game they play"
    )
    player: Literal["both", "generator", "discriminator"] = Field(
        "both", description="whose loss is differentiated; both are added up"
    )

    def value(self, outputs: Sequence[torch.Tensor], targets: Variates) -> torch.Tensor:  # noqa: ARG002 - none are drawn
        """Mean over samples and over the positions of a patch discriminator."""
        if len(outputs) not in (2, 3):
            self.unfit(shapes(outputs), hint="a `gan` block ends with these three")
        if len(outputs) == 2 and self.player == "both":
            hint = "gan(player=generator) or gan(player=discriminator)"
            self.unfit("two: on one and the same fakes the players' gradients cancel out", hint=hint)
        game = GAMES[self.kind]
        fooled, fake, real = outputs[0], outputs[-2], outputs[-1]
        generator = game.fooled(fooled).mean()
        discriminator = game.fake(fake).mean() + game.real(real).mean()
        return {
            "generator": generator,
            "discriminator": discriminator,
            "both": generator + discriminator,
        }[self.player]
