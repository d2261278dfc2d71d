"""ReZero: every residual branch is multiplied by a parameter that starts at zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from initprobe.init.branches import check_gates, gated_branch, missing_gates, normalizations_told
from initprobe.init.distributions import constant, normal
from initprobe.init.fans import Gain, scaled_std
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, Treatment, register
from initprobe.records import Role, Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class ReZero(Scheme):
    """The gates of residual branches become zero, so that every block is the identity."""

    card = SchemeCard(
        name="rezero",
        family="residual",
        summary="the gate of every residual branch is zero: the network starts as the identity",
        formula="x + alpha F(x) with alpha = 0, one alpha per layer; W ~ N(0, gain² / fan_in) inside F; biases 0",
        assumes="a gate on every branch, in the model, that its sublayers may share; no normalization. Of F the paper "
        "asks for nothing: the first step moves the gates alone",
        when="for very deep residual networks and transformers without normalization and without warm-up",
        reference="Bachlechner et al. 2020, ReZero is All You Need (arXiv 2003.04887), eq. 1",
    )
    treatments: ClassVar[Mapping[Role, Treatment]] = {"gate": "draw"}

    gain: Gain = Field("auto", description="auto: that of the activation before the weight, √2 behind a rectifier")

    def check_network(self, network: Network) -> None:
        """Make sure that branches have gates.

        Raises:
            UsageError: there are no residual branches, or none has one.
        """
        check_gates(network, "rezero", "a parameter")

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """One matrix, or the gate of a branch.

        Raises:
            UndrawableError: it has no fan, or it multiplies no branch.
        """
        if weight.role == "gate":
            gated_branch(weight, network)
            return Filled(constant(weight.shape, 0.0), 0.0)
        std = scaled_std(weight, "fan_in", self.gain)
        return Filled(normal(variates, weight.shape, std), std)

    def remarks(self, network: Network) -> Sequence[str]:
        """What the paper adds to a network, and this one does not have."""
        return (*normalizations_told(network), *missing_gates(network, "gate"))
