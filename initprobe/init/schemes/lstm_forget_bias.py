"""The forget gate of an LSTM is open at first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.errors import UsageError
from initprobe.init.gates import forget_bias, gates_with_bias, glorot, is_gate_bias, known, scaled
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, Treatment, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class LstmForgetBias(Scheme):
    """A bias of one for the forget gate, and Xavier's weights in every gate."""

    card = SchemeCard(
        name="lstm_forget_bias",
        family="recurrent",
        summary="a bias of 1 for the forget gate of an LSTM, so that it keeps 73 % of its cell per step and not 50 %",
        formula="b_forget = bias, all other biases 0; W ~ U(±√(6 / (inputs + hidden))) per gate; layers that are not "
        "recurrent: variance gain² / fan_in",
        assumes="small weights, so that the bias decides what a gate does: sigmoid(1) = 0.731 of the cell is left "
        "after one step, a half-life of 2.2 steps, and without a bias 0.5",
        when="for every LSTM, as the least that one should do; for dependencies over more than ten steps take chrono. "
        "The papers are about the bias alone: to leave weights as they are, match '*.bias_*' or pass it as only",
        reference="Gers, Schmidhuber & Cummins 2000, Learning to Forget; Jozefowicz, Zaremba & Sutskever 2015, An "
        "Empirical Exploration of Recurrent Network Architectures, on the bias of the forget gate",
    )

    bias: float = Field(1.0, description="of the forget gate; torch's two bias vectors are added, and one of them is 0")

    def check_network(self, network: Network) -> None:
        """There has to be a forget gate with a bias.

        Raises:
            UsageError: there is none.
        """
        if "forget_gate" not in gates_with_bias(network):
            raise UsageError(
                "scheme 'lstm_forget_bias' sets the bias of an LSTM's forget gate, and this network has no such bias",
                hint="take recurrent_orthogonal for other recurrent layers, or chrono for a GRU",
            )

    def treatment(self, weight: Weight) -> Treatment:
        """Biases of gates are drawn; see ``Scheme.treatment``."""
        return "draw" if is_gate_bias(weight) else super().treatment(weight)

    def fill_chosen(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """See ``Scheme.fill_chosen``."""
        return super().fill_chosen(known(weight, network), network, variates)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:  # noqa: ARG002 - unused
        """One gate's matrix or bias, or the weight of another layer."""
        if weight.role == "bias":
            return Filled(*forget_bias(weight, self.bias))
        return Filled(*(glorot if weight.recurrent is not None else scaled)(weight, variates))
