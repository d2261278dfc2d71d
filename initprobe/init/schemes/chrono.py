"""Chrono: gates whose memory is spread over the time spans that the data asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.errors import UsageError
from initprobe.init.distributions import constant
from initprobe.init.gates import gate_of, gates_with_bias, glorot, is_gate_bias, known, scaled
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, Treatment, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.init.network import Network
    from initprobe.variates import Variates

SIGNS = {"forget_gate": 1.0, "input_gate": -1.0, "update_gate": 1.0}
"""Of the logarithm, by gate. The paper's GRU writes where its gate opens; torch's update gate keeps where it opens."""


@register
class Chrono(Scheme):
    """Biases of gates from the logarithm of uniform time spans, and Xavier's weights in every gate."""

    card = SchemeCard(
        name="chrono",
        family="recurrent",
        summary="biases that give every unit of an LSTM or a GRU a memory of its own length, up to t_max steps",
        formula="LSTM: b_forget = log u, b_input = -b_forget; GRU: b_update = log u; u ~ U(1, t_max - 1) per unit; all "
        "other biases 0; W ~ U(±√(6 / (inputs + hidden))) per gate; layers that are not recurrent: variance "
        "gain² / fan_in",
        assumes="gates that are centred but for their bias; t_max is the longest dependency in the data, in steps: the "
        "memory 1 / (1 - sigmoid(b)) is then uniform between 2 and t_max",
        when="for dependencies over tens to thousands of steps, with t_max set to them; where none is long, a small "
        "t_max or lstm_forget_bias. The paper is about biases alone: to leave weights as they are, match '*.bias_*' or "
        "pass it as only",
        reference="Tallec & Ollivier 2018, Can recurrent neural networks warp time? (arXiv 1804.11188), on chrono "
        "initialization of gate biases",
    )

    t_max: float = Field(100.0, gt=2.0, description="the longest dependency that the network is to learn, in steps")

    def check_network(self, network: Network) -> None:
        """There has to be a gate with a bias.

        Raises:
            UsageError: there is none.
        """
        if not gates_with_bias(network) & set(SIGNS):
            raise UsageError(
                "scheme 'chrono' sets biases of an LSTM's or a GRU's gates, and this network has no such bias",
                hint="take irnn or recurrent_orthogonal for plain recurrent layers",
            )

    def treatment(self, weight: Weight) -> Treatment:
        """Biases of gates are drawn; see ``Scheme.treatment``."""
        return "draw" if is_gate_bias(weight) else super().treatment(weight)

    def fill_chosen(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """See ``Scheme.fill_chosen``."""
        return super().fill_chosen(known(weight, network), network, variates)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """One gate's matrix or bias, or the weight of another layer."""
        if weight.role != "bias":
            return Filled(*(glorot if weight.recurrent is not None else scaled)(weight, variates))
        sign = SIGNS.get(gate_of(weight) or "", 0.0) if weight.recurrent == "input" else 0.0
        if sign == 0.0:
            return Filled(constant(weight.shape, 0.0), 0.0)
        return Filled(self._spans(weight, network).log_().mul_(sign), None)

    def _spans(self, weight: Weight, network: Network) -> Tensor:
        """The time span of every unit, the same for all gates of a layer, float64."""
        shares = network.variates(f"{weight.name}@spans").uniform(weight.shape).double()
        return shares.mul_(self.t_max - 2.0).add_(1.0)
