"""XNOR-Net: the real weights behind binary ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.errors import UsageError
from initprobe.init.distributions import normal
from initprobe.init.fans import fan
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.init.network import Network
    from initprobe.variates import Variates

OUTER = "the paper keeps the first and the last layer real; this one is binary"


@register
class Xnor(Scheme):
    """He's normal on the real weights, centred over the input channels where they are made binary."""

    card = SchemeCard(
        name="xnor",
        family="width",
        summary="real weights for binary layers: normal with variance 2 / fan_in, centred over the input channels",
        formula="w ~ N(0, 2 / fan_in), in binary layers less its mean over the input channels; they see α · sign(w)",
        assumes="a batch normalization in front of every binary layer: the variance of α · sign(w) is 2/π of that of w",
        when="for networks with layers reparametrized as `binary`, the first and the last one left real; the authors "
        "centre the weights and clamp them to ±1 again before every step, which is up to the training loop",
        reference="Rastegari et al. 2016 (arXiv 1603.05279), section 3.1; rand_initialize and meancenterConvParms in "
        "util.lua of the authors' code",
        aliases=("xnor_net",),
    )

    centre: bool = Field(
        True,  # noqa: FBT003 - the field's default
        description="whether binary layers get weights without their mean over the input channels, as in the "
        "authors' code",
    )

    def check_network(self, network: Network) -> None:
        """Some layer has to be binary.

        Raises:
            UsageError: none is.
        """
        if not any(_is_binary(network, one.weight) for one in network.slots.values()):
            raise UsageError(
                "scheme 'xnor' is for binary layers, and the model has none",
                hint='initprobe.reparametrize(model, "binary", only=[...]) makes layers binary; leave out the first '
                "and the last one",
            )

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """The real weight, centred if it is made binary and there is more than one input channel.

        Raises:
            UndrawableError: the weight has no fan.
        """
        std = math.sqrt(2.0 / fan(weight, "fan_in"))
        values = normal(variates, weight.shape, std)
        if not _is_binary(network, weight):
            return Filled(values, std)
        note = OUTER if weight.head or weight.depth == 1 else None
        channels = _split(weight, network, values)
        count = channels.shape[1]
        if not self.centre or count < 2:
            return Filled(values, std, note=note, stored=True)
        centred = (channels - channels.mean(1, keepdim=True)).reshape(values.shape)
        return Filled(centred, std * math.sqrt(1.0 - 1.0 / count), note=note, stored=True)


def _split(weight: Weight, network: Network, values: Tensor) -> Tensor:
    """The weight with its input channels on the second axis."""
    if weight.unit_axis != 1:
        return values
    groups = getattr(network.module(weight), "groups", 1)
    return values.reshape(groups, -1, *values.shape[1:])


def _is_binary(network: Network, weight: Weight) -> bool:
    """Whether the layer sees only the signs of a weight."""
    from initprobe.parametrizations.base import carried

    made = carried(network.module(weight), weight.name.rpartition(".")[2])
    return made is not None and made.card.name == "binary"
