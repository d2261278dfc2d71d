"""The fan-out of a convolution as the published code of convolutional networks counts it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from initprobe.init.fans import fan
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network


def filter_fan_out(weight: Weight, network: Network, *, grouped: bool = True) -> float:
    """Output channels per group times the taps of the filter.

    He et al. (2016), torchvision, timm and Google's EfficientNet all divide by it. It does not know of the stride, by
    which an input really feeds fewer outputs; where the model does not say how a filter is grouped, the fan-out that
    was traced is taken.

    Args:
        weight: of a convolution.
        network: with the module that owns it.
        grouped: whether the channels are counted per group; torch's own ``_calculate_fan_in_and_fan_out`` counts all.

    Raises:
        UndrawableError: it has no fan-out.
    """
    groups = getattr(network.module(weight), "groups", None)
    traced = fan(weight, "fan_out")
    if weight.role not in {"conv", "depthwise"} or not isinstance(groups, int) or len(weight.shape) < 3:
        return traced
    return weight.shape[0] * math.prod(weight.shape[2:]) / (groups if grouped else 1)
