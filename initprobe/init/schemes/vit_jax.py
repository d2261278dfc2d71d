"""The vision transformer as its authors draw it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from initprobe.init.distributions import constant, draw, normal
from initprobe.init.fans import scaled_std
from initprobe.init.kernels import CONVOLUTIONS
from initprobe.init.positions import is_class_token, is_position
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, Treatment, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates

BIAS_STD = 1e-6
POSITION_STD = 0.02


@register
class VitJax(Scheme):
    """Xavier for the blocks, LeCun for the patches, zero for the classifier."""

    card = SchemeCard(
        name="vit_jax",
        family="transformer",
        summary="Xavier for linear layers, LeCun for the patches, zero for the classifier",
        formula="linear: U(±√(6 / (fan_in + fan_out))), each of query, key and value by itself; conv: truncated normal "
        "with variance 1 / fan_in; positions N(0, 0.02²); class tokens 0; biases of feed-forward layers N(0, 1e-12), "
        "others 0; classifier W = 0, b = head_bias",
        assumes="pre-norm blocks; the loss starts at that of a constant prediction, and the first step trains the "
        "classifier alone",
        when="for vision transformers trained from scratch on large data, to compare with the published models",
        reference="Dosovitskiy et al. 2021 (arXiv 2010.11929); google-research/vision_transformer "
        "vit_jax/models_vit.py. timm's port draws the packed query, key and value as one matrix, with half the "
        "variance",
        aliases=("vit",),
    )

    head_bias: float | Literal["negative_log"] = Field(
        0.0, description="bias of the classifier; negative_log: -log(classes), for losses that are sums of sigmoids"
    )

    def treatment(self, weight: Weight) -> Treatment:
        """Positions are drawn, class tokens are zero."""
        if is_class_token(weight):
            return "zero"
        return "draw" if is_position(weight) else super().treatment(weight)

    def fill(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Biases by the layer that they belong to; everything else by its role."""
        if weight.role == "bias" and super().treatment(weight) == "zero":
            return self._bias(weight, network, variates)
        return super().fill(weight, network, variates)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:  # noqa: ARG002
        """See the card."""
        if is_position(weight):
            return Filled(normal(variates, weight.shape, POSITION_STD), POSITION_STD)
        if _classifies(weight):
            return Filled(constant(weight.shape, 0.0), 0.0)
        if weight.role in CONVOLUTIONS:
            std = scaled_std(weight, "fan_in", 1.0)
            return Filled(draw(variates, weight.shape, "truncated_normal", std), std)
        std = scaled_std(weight, "fan_avg", 1.0)
        return Filled(draw(variates, weight.shape, "uniform", std), std)

    def _bias(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        layer = next((one for one in network.beside(weight) if one.role == "linear"), None)
        if layer is not None and _classifies(layer):
            value = -math.log(math.prod(weight.shape)) if self.head_bias == "negative_log" else self.head_bias
            return Filled(constant(weight.shape, value), 0.0)
        if layer is not None and layer.branch is not None and layer.attention is None:
            return Filled(normal(variates, weight.shape, BIAS_STD), BIAS_STD)
        return Filled(constant(weight.shape, 0.0), 0.0)


def _classifies(weight: Weight) -> bool:
    """Whether it makes the output of the model, and nothing comes behind it: a pooler ends in a tanh."""
    return weight.role == "linear" and weight.head and weight.output_activation is None
