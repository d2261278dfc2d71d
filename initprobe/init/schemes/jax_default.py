"""What Flax's own layers draw when they are built."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from initprobe.init.distributions import constant, draw
from initprobe.init.fans import fan
from initprobe.init.gates import known, orthogonal
from initprobe.init.kernels import kernel_of
from initprobe.init.schemes.base import EMBEDDINGS_TOO, Filled, Scheme, SchemeCard, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class JaxDefault(Scheme):
    """The default initializers of every Flax layer."""

    card = SchemeCard(
        name="jax_default",
        family="classical",
        summary="what Flax's layers draw when they are built: truncated normals of variance 1 / fan_in",
        formula="W ~ truncated N with Var W = 1 / fan_in; hidden matrices of recurrent layers orthogonal, per gate; "
        "embedding: N(0, 1 / features); all biases 0, the forget gate's too",
        assumes="nothing: it is a habit of the library, right for linear layers and SELU. A transposed convolution's "
        "fan_in does not know its stride: its signal shrinks by that",
        when="to compare with a Flax model, or as the baseline that one has; behind relu the variance is half of He's",
        reference="flax.linen: default_kernel_init, default_embed_init and recurrent_kernel_init; "
        "jax.nn.initializers.lecun_normal, whose standard deviation is that after the cut",
        aliases=("flax", "flax_default"),
    )
    treatments = EMBEDDINGS_TOO

    def fill_chosen(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """See ``Scheme.fill_chosen``."""
        return super().fill_chosen(known(weight, network), network, variates)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Numbers by what the parameter is.

        Raises:
            UndrawableError: it has no known fan.
        """
        if weight.role == "bias":
            return Filled(constant(weight.shape, 0.0), 0.0)
        if weight.role == "embedding":
            std = 1.0 / math.sqrt(weight.shape[-1 if weight.unit_axis is None else weight.unit_axis])
            return Filled(draw(variates, weight.shape, "normal", std), std)
        if weight.recurrent == "hidden":
            return Filled(*orthogonal(weight, variates, 1.0))
        std = 1.0 / math.sqrt(_fan_in(weight, network))
        return Filled(draw(variates, weight.shape, "truncated_normal", std), std)


def _fan_in(weight: Weight, network: Network) -> float:
    """The operator's, but for transposed convolutions, where a stride does not count."""
    if weight.role != "transposed":
        return fan(weight, "fan_in")
    kernel = kernel_of(weight, network)
    return float(kernel.inputs * math.prod(kernel.taps))
