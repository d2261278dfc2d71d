"""Orthogonal recurrence: every gate carries the hidden state over without stretching it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.fans import Factor
from initprobe.init.gates import check_hidden, forget_bias, glorot, is_gate_bias, known, orthogonal, scaled
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, Treatment, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class RecurrentOrthogonal(Scheme):
    """One orthogonal hidden matrix per gate, Xavier's input matrices, and a forget gate that is open."""

    card = SchemeCard(
        name="recurrent_orthogonal",
        family="recurrent",
        summary="an orthogonal hidden matrix and a Xavier input matrix in every gate, and an open forget gate",
        formula="W_hh = gain · Q per gate, Q Qᵀ = 1; W_ih ~ U(±√(6 / (inputs + hidden))) per gate; bias of the forget "
        "gate forget_bias, all other biases 0; layers that are not recurrent: variance gain² / fan_in",
        assumes="nothing of the sequence; an orthogonal matrix keeps the state's length before the activation, which "
        "then takes its share: a sigmoid before every gate, a tanh before the state",
        when="for LSTM, GRU and plain recurrent layers, as the start that libraries mean by 'orthogonal'; of torch's "
        "two biases the one of the input side is set, so that they are not added up. One orthogonal draw of the packed "
        "matrix is something else: its gates shrink the state to half (take keras_default for that)",
        reference="Saxe et al. 2014 (arXiv 1312.6120); Arjovsky, Shah & Bengio 2016 (arXiv 1511.06464) on norms over "
        "time; Gers, Schmidhuber & Cummins 2000 on the forget gate",
    )

    gain: Factor = Field(1.0, description="singular values of every hidden matrix")
    forget_bias: float = Field(1.0, description="bias of an LSTM's forget gate")

    def check_network(self, network: Network) -> None:
        """There has to be a recurrent layer.

        Raises:
            UsageError: there is none.
        """
        check_hidden(network, self.card.name, "take orthogonal for feed-forward layers")

    def treatment(self, weight: Weight) -> Treatment:
        """Biases of gates are drawn; see ``Scheme.treatment``."""
        return "draw" if is_gate_bias(weight) else super().treatment(weight)

    def fill_chosen(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """See ``Scheme.fill_chosen``."""
        return super().fill_chosen(known(weight, network), network, variates)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:  # noqa: ARG002 - unused
        """One gate's matrix or bias, or the weight of another layer."""
        if weight.role == "bias":
            return Filled(*forget_bias(weight, self.forget_bias))
        if weight.recurrent == "hidden":
            return Filled(*orthogonal(weight, variates, self.gain))
        return Filled(*(glorot if weight.recurrent == "input" else scaled)(weight, variates))
