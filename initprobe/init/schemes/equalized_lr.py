"""Equalized learning rate: unit variance where it is stored, He's where the layer multiplies."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from initprobe.errors import UsageError
from initprobe.init.distributions import normal
from initprobe.init.fans import Factor, UndrawableError
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates

ADVICE = 'initprobe.reparametrize(model, "equalized") makes layers scale their weights'


@register
class EqualizedLr(Scheme):
    """N(0, 1 / lr_mul²) behind layers that scale their weights by gain · lr_mul / √fan_in."""

    card = SchemeCard(
        name="equalized_lr",
        family="width",
        summary="stored at unit variance; the layer scales by gain / √fan_in in every pass",
        formula="w ~ N(0, 1 / lr_mul²), W = w · lr_mul · gain / √fan_in, so that Var W = gain² / fan_in",
        assumes="layers that scale their weights when they run, and an optimizer with steps of one size (Adam)",
        when="for networks in the manner of StyleGAN, reparametrized as `equalized`; a layer that scales its weights "
        "in its own code is drawn when lr_mul is given, by an override. Drawn into plain layers signals would explode",
        reference="Karras et al. 2018 (arXiv 1710.10196), section 4.1; StyleGAN2 (arXiv 1912.04958) for lr_mul",
        aliases=("stylegan", "progressive_gan"),
    )

    lr_mul: Factor | Literal["auto"] = Field(
        "auto",
        description="auto: that of the layer's parametrization; a number for layers that scale in their own code (0.01 "
        "in StyleGAN's mapping network)",
    )

    def check_network(self, network: Network) -> None:
        """Some layer has to scale its weights.

        Raises:
            UsageError: none does, as far as can be known.
        """
        if self.lr_mul == "auto" and not any(_lr_mul(network, one.weight) for one in network.slots.values()):
            raise UsageError(
                "scheme 'equalized_lr' needs layers that scale their weights when they run, and no layer is known to",
                hint=f"{ADVICE}; layers that do it in their own code are drawn with equalized_lr(lr_mul=1)",
            )

    def fill(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Biases learn at lr_mul times the rate, which StyleGAN's layers reach by a factor of their own.

        Raises:
            UndrawableError: see ``Scheme.fill``.
        """
        filled = super().fill(weight, network, variates)
        if weight.role != "bias":
            return filled
        return replace(filled, learning_rate=_lr_mul(network, weight) or 1.0)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """What is stored behind the layer's factor.

        Raises:
            UndrawableError: the layer is not known to have one.
        """
        own = _lr_mul(network, weight)
        chosen = own if self.lr_mul == "auto" else self.lr_mul
        if chosen is None:
            raise UndrawableError(f"its layer is not known to scale its weight: {ADVICE}")
        note = None
        if own is None:
            note = "the layer is taken to multiply by gain · lr_mul / √fan_in in its own code"
        elif own != chosen:
            note = f"the layer multiplies by an lr_mul of {own:g}, and {chosen:g} was asked for"
        std = 1.0 / chosen
        return Filled(normal(variates, weight.shape, std), std, note=note, stored=own is not None)


def _lr_mul(network: Network, weight: Weight) -> float | None:
    """The lr_mul of a weight's layer, or of a bias's; None where the layer is not known to scale."""
    from initprobe.parametrizations.base import carried

    module = network.module(weight)
    tensors = getattr(module, "parametrizations", {}) if weight.role == "bias" else [weight.name.rpartition(".")[2]]
    found = (carried(module, tensor) for tensor in tensors)
    made = next((one for one in found if one is not None and one.card.name == "equalized"), None)
    return None if made is None else float(dict(made)["lr_mul"])
