"""IRNN: a recurrent layer of rectifiers that at first keeps its state as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.distributions import normal
from initprobe.init.gates import check_hidden, gate_of, known
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class Irnn(Scheme):
    """The identity from state to state, small numbers everywhere else."""

    card = SchemeCard(
        name="irnn",
        family="recurrent",
        summary="the identity from one hidden state to the next, small numbers everywhere else",
        formula="W_hh = scale · 1; every other weight ~ N(0, std²); biases 0",
        assumes="plain recurrent layers with relu (nn.RNN(..., nonlinearity='relu')): their state then stays what it "
        "is, and so does its gradient, over any number of steps",
        when="for long dependencies in plain recurrent networks; scale = 0.01 for short ones (the paper's speech). "
        "With tanh the state fades, and gated layers have ways of their own to remember: take chrono for those",
        reference="Le, Jaitly & Hinton 2015, A Simple Way to Initialize Recurrent Networks of Rectified Linear Units "
        "(arXiv 1504.00941), sections 3 and 4",
    )

    scale: float = Field(1.0, description="what stands on the diagonal of the hidden matrix")
    std: float = Field(0.001, ge=0.0, description="standard deviation of every other weight, the readout's included")

    def check_network(self, network: Network) -> None:
        """There has to be a recurrent layer.

        Raises:
            UsageError: there is none.
        """
        check_hidden(network, self.card.name, "take identity for feed-forward layers")

    def fill_chosen(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """See ``Scheme.fill_chosen``."""
        return super().fill_chosen(known(weight, network), network, variates)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:  # noqa: ARG002 - unused
        """The identity, or normal numbers."""
        import torch

        if weight.recurrent != "hidden" or len(weight.shape) != 2:
            return Filled(normal(variates, weight.shape, self.std), self.std)
        return Filled(torch.eye(*weight.shape).mul_(self.scale), None, note=_misfit(weight))


def _misfit(weight: Weight) -> str | None:
    """What keeps the state from being kept."""
    if gate_of(weight) is not None:
        return "the identity stands before a gate: the state is kept by gates, not by this matrix"
    if weight.shape[0] != weight.shape[1]:
        return "the hidden state is projected: the identity is partial"
    use = weight.output_activation
    if use is not None and use.name != "relu":
        return f"the layer has {use}, and the paper's reasoning is about relu: the state fades"
    return None
