"""Sparse initialization: every unit listens to a few others, and to these with large weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.distributions import constant
from initprobe.init.kernels import from_matrix, matrix_of
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates

SATURATING = {"tanh": (0.25, 0.5)}
"""The factor of the weights and the bias that go with an activation, where they are not 1 and 0."""


@register
class Sparse(Scheme):
    """A fixed number of incoming weights per unit."""

    card = SchemeCard(
        name="sparse",
        family="classical",
        summary="every unit has 15 incoming weights that are not zero, however wide the layer is",
        formula="W[i, j] ~ N(0, std²) for k inputs j of each unit i, drawn without replacement, and 0 for the others; "
        "where a tanh follows, std is 0.25 and the bias 0.5, elsewhere 1 and 0",
        assumes="inputs of magnitude 1; a unit's input has the variance k · std² · E x², whatever the width",
        when="for wide plain networks of sigmoids or tanh, whose units are to differ and not to saturate; not for "
        "relu, whose signal grows by k · std² / 2 per layer at k = 15. torch.nn.init.sparse_ is something else: it "
        "limits what an input feeds, and leaves units without any input",
        reference="Martens 2010, Deep learning via Hessian-free optimization, section 5; Sutskever et al. 2013, On the "
        "importance of initialization and momentum, section 3.1",
        aliases=("martens",),
    )

    k: int = Field(15, ge=1, description="incoming weights per unit that are not zero, all where a unit has fewer")
    std: float | None = Field(
        None, ge=0.0, description="their standard deviation; None: 0.25 where a tanh follows, 1 elsewhere"
    )
    bias: float | None = Field(None, description="of every unit; None: 0.5 where a tanh follows, 0 elsewhere")

    def fill(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Biases go by the activation behind their layer; everything else as with any scheme."""
        if self.treatment(weight) != "zero" or weight.recurrent is not None:
            return super().fill(weight, network, variates)
        layer = next((one for one in network.beside(weight) if one.role != "bias"), weight)
        return Filled(constant(weight.shape, self.bias if self.bias is not None else _habit(layer)[1]), 0.0)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Normal numbers at ``k`` places per output, the k with the largest keys of a second draw.

        No standard deviation is declared: most numbers are zero, so that a sample's tells little.

        Raises:
            UndrawableError: the weight has no rows and columns.
        """
        import torch

        matrix = matrix_of(weight, variates.normal(weight.shape))
        keys = network.variates(f"{variates.name}@places.{_part(weight)}").uniform(tuple(matrix.shape))
        places = keys.topk(min(self.k, matrix.shape[1]), dim=1).indices
        kept = torch.zeros_like(matrix).scatter_(1, places, matrix.gather(1, places))
        std = self.std if self.std is not None else _habit(weight)[0]
        strided = weight.role == "transposed" and weight.fan_in is not None and weight.fan_in < matrix.shape[1]
        note = "of a strided transposed convolution an output pixel meets only some of the k taps" if strided else None
        return Filled(from_matrix(weight, kept).mul_(std), None, note=note)


def _habit(weight: Weight) -> tuple[float, float]:
    """Standard deviation and bias by what stands behind the layer."""
    use = weight.output_activation
    return SATURATING.get(use.name, (1.0, 0.0)) if use is not None else (1.0, 0.0)


def _part(weight: Weight) -> str:
    return weight.parts[0].name if weight.parts else ""
