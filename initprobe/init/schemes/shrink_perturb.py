"""Shrink and perturb: a trained network pulled towards zero, with a little of a fresh one added."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from initprobe.errors import UsageError
from initprobe.init.fans import UndrawableError
from initprobe.init.schemes.base import SCHEMES, Filled, Scheme, SchemeCard, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


def drawable(name: str) -> str:
    """The name of a scheme that makes fresh weights out of nothing but the network.

    Raises:
        UsageError: there is none of that name, or it needs more.
    """
    leaf = SCHEMES.find(name)
    if leaf.calibrates or leaf.card.family == "growing":
        needs = "looks at data" if leaf.calibrates else "starts from weights that are there"
        raise UsageError(
            f"{leaf.card.name!r} {needs}: it gives no fresh draw by itself", hint="torch_default, kaiming_normal ..."
        )
    return leaf.card.name


@register
class ShrinkPerturb(Scheme):
    """shrink · what is there + perturb · a fresh draw."""

    card = SchemeCard(
        name="shrink_perturb",
        family="growing",
        summary="what is there times a number below one, plus a little of a fresh draw",
        formula="θ ← shrink · θ + perturb · θ_fresh, every parameter that the fresh scheme draws, "
        "normalizations too with torch_default",
        assumes="a trained network that is trained on, with more data than before; λ alone scales the logits of a "
        "relu network without biases, and leaves every decision as it was",
        when="before going on with new data, where a warm start generalizes worse than a fresh one; running statistics "
        "of normalizations are no parameters and stay",
        reference="Ash & Adams 2020, On Warm-Starting Neural Network Training (arXiv 1910.08475); both numbers, and a "
        "fresh network as the source of noise, as in the authors' code",
    )

    shrink: float = Field(0.4, ge=0.0, le=1.0, description="what the present values are multiplied by")
    perturb: float = Field(0.1, ge=0.0, description="what the fresh draw is multiplied by")
    fresh: Annotated[str, AfterValidator(drawable)] = Field(
        "torch_default", description="name of the scheme that draws the fresh network; what it keeps is kept here"
    )

    def check_network(self, network: Network) -> None:
        """The network has to suit the fresh scheme."""
        self._scheme().check_network(network)

    def fill(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """The mixture, where the fresh scheme draws anything."""
        return self._mixed(weight, network, self._scheme().fill(weight, network, variates))

    def fill_chosen(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """The mixture, of whatever role."""
        return self._mixed(weight, network, self._scheme().fill_chosen(weight, network, variates))

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """The mixture for one matrix."""
        return self._mixed(weight, network, self._scheme().fill_weight(weight, network, variates))

    def _mixed(self, weight: Weight, network: Network, fresh: Filled) -> Filled:
        if fresh.stored:
            raise UndrawableError(f"{self.fresh} draws what lies behind its parametrization, which nothing is added to")
        there = network.values(weight).double()
        return replace(fresh, values=there.mul_(self.shrink).add_(fresh.values.double(), alpha=self.perturb), std=None)

    def _scheme(self) -> Scheme:
        return SCHEMES[self.fresh]()
