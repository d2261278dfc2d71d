"""Echo state: a sparse recurrence of a given spectral radius."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.distributions import normal
from initprobe.init.fans import Factor, UndrawableError
from initprobe.init.gates import check_hidden, gate_of, known
from initprobe.init.kernels import from_matrix, matrix_of
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class EchoState(Scheme):
    """A hidden matrix of few entries per unit, rescaled to a spectral radius, and small input weights."""

    card = SchemeCard(
        name="echo_state",
        family="recurrent",
        summary="a sparse hidden matrix of spectral radius 1.1, small dense weights everywhere else",
        formula="W_hh: k entries ~ N(0, 1) per unit, then times radius / max |λ(W_hh)|; W_ih ~ N(0, input_std²); "
        "weights of other layers ~ N(0, output_std²); biases 0",
        assumes="one plain recurrent layer of tanh units and a readout; a radius near 1 lets the state ring for long, "
        "and below 1 its echo dies out",
        when="for plain recurrent networks that are trained by gradients with momentum, or whose recurrence is not "
        "trained at all (reservoirs). input_std decides most: 0.001 where many inputs distract, 0.1 where few do",
        reference="Sutskever et al. 2013, On the importance of initialization and momentum in deep learning, section "
        "4.1 and table 4; Jaeger & Haas 2004, Harnessing nonlinearity, for the spectral radius",
        aliases=("esn",),
    )

    radius: Factor = Field(1.1, description="spectral radius of the hidden matrix")
    k: int = Field(15, ge=1, description="entries per unit of the hidden matrix that are not zero")
    input_std: float = Field(0.1, ge=0.0, description="standard deviation of the recurrent layer's input weights")
    output_std: float = Field(0.1, ge=0.0, description="standard deviation of every layer that is not recurrent")

    def check_network(self, network: Network) -> None:
        """There has to be a recurrent layer.

        Raises:
            UsageError: there is none.
        """
        check_hidden(network, self.card.name, "take sparse for feed-forward layers")

    def fill_chosen(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """See ``Scheme.fill_chosen``."""
        return super().fill_chosen(known(weight, network), network, variates)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """The reservoir, or dense normal numbers.

        Raises:
            UndrawableError: the hidden matrix has no spectral radius.
        """
        if weight.recurrent != "hidden" or len(weight.shape) < 2:
            std = self.input_std if weight.recurrent == "input" else self.output_std
            return Filled(normal(variates, weight.shape, std), std)
        gate = gate_of(weight)
        numbers = matrix_of(weight, variates.normal(weight.shape))
        keys = network.variates(f"{variates.name}@places.{gate or ''}").uniform(tuple(numbers.shape))
        note = "an echo state has no gates: each gate's matrix has the spectral radius" if gate else None
        return Filled(from_matrix(weight, self._reservoir(numbers, keys)), None, note=note)

    def _reservoir(self, numbers: Tensor, keys: Tensor) -> Tensor:
        """The k numbers with the largest keys in each row, rescaled, float64."""
        import torch

        rows, columns = numbers.shape
        if rows != columns:
            raise UndrawableError(f"a hidden matrix of shape {(rows, columns)} is not square: it has no eigenvalues")
        places = keys.topk(min(self.k, columns), dim=1).indices
        kept = torch.zeros_like(numbers, dtype=torch.float64)
        kept.scatter_(1, places, numbers.double().gather(1, places))
        found = float(torch.linalg.eigvals(kept).abs().max())
        if found <= 0.0:
            raise UndrawableError("the numbers drawn for it have no spectral radius: k is too small")
        return kept.mul_(self.radius / found)
