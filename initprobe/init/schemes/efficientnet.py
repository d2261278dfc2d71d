"""What Google's EfficientNet, MnasNet and MobileNetV3 are initialized with."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.distributions import normal, uniform
from initprobe.init.fans import fan
from initprobe.init.filters import filter_fan_out
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates

ROUTING = "routing_fn"
"""How timm calls the layer that mixes the experts of a conditional convolution."""


@register
class EfficientNetGoog(Scheme):
    """Convolutions by the outputs of a filter per group, linear layers uniform by theirs."""

    card = SchemeCard(
        name="efficientnet_goog",
        family="convolution",
        summary="convolutions by He's fan-out per group, linear layers uniform by their outputs: EfficientNet",
        formula="conv: W ~ N(0, 2 / (channels out per group · taps)), so √(2 / taps) for a depthwise one; linear: "
        "W ~ U(±1 / √fan_out), with fan_in + fan_out for the routing of a conditional convolution; biases 0",
        assumes="a normalization behind every convolution",
        when="for EfficientNet, MnasNet, MobileNetV3 and what is built like them, to start where the published ones do",
        reference="Tan & Le 2019 (arXiv 1905.11946) by its code: tensorflow/tpu efficientnet_model.py; timm "
        "_init_weight_goog",
        aliases=("efficientnet", "goog"),
    )

    grouped: bool = Field(
        True,  # noqa: FBT003 - pydantic's default
        description="count the channels per group, as Google's code does; timm calls it fix_group_fanout",
    )

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """One matrix.

        Raises:
            UndrawableError: it has no fan-out.
        """
        if weight.role == "linear":
            outputs = fan(weight, "fan_out")
            inputs = fan(weight, "fan_in") if ROUTING in weight.name else 0.0
            limit = 1.0 / math.sqrt(inputs + outputs)
            return Filled(uniform(variates, weight.shape, limit), limit / math.sqrt(3.0))
        std = math.sqrt(2.0 / filter_fan_out(weight, network, grouped=self.grouped))
        return Filled(normal(variates, weight.shape, std), std)
