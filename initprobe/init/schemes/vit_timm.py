"""The vision transformer as timm draws it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.distributions import constant, draw, normal
from initprobe.init.fans import Factor, fan
from initprobe.init.kernels import CONVOLUTIONS
from initprobe.init.positions import is_class_token, is_position
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, Treatment, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates

TOKEN_STD = 1e-6


@register
class VitTimm(Scheme):
    """N(0, 0.02²) for linear layers; convolutions as torch draws them."""

    card = SchemeCard(
        name="vit_timm",
        family="transformer",
        summary="N(0, 0.02²) for linear layers, torch's own draw for the patches",
        formula="linear, positions: N(0, std²), cut off at ±2 (not at two sigmas: that is 100 of them, and cuts "
        "nothing off); class tokens N(0, 1e-12); conv: W, b ~ U(±1 / √fan_in); other biases 0",
        assumes="pre-norm blocks: the width knows nothing of fan_in or depth",
        when="for vision transformers that are to be compared with timm's, DeiT's or Swin's",
        reference="timm vision_transformer.py, init_weights_vit_timm and VisionTransformer.init_weights; Touvron et "
        "al. 2021 (DeiT, arXiv 2012.12877), section 6",
    )

    std: Factor = Field(0.02, description="of linear layers and tables of positions")

    def treatment(self, weight: Weight) -> Treatment:
        """Positions are drawn too."""
        return "draw" if is_position(weight) else super().treatment(weight)

    def fill(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Biases of convolutions are drawn, those of other layers are zero."""
        if weight.role == "bias" and super().treatment(weight) == "zero":
            return self._bias(weight, network, variates)
        return super().fill(weight, network, variates)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:  # noqa: ARG002
        """See the card."""
        if weight.role in CONVOLUTIONS:
            std = _torch_std(weight)
            return Filled(draw(variates, weight.shape, "uniform", std), std)
        std = TOKEN_STD if is_class_token(weight) else self.std
        return Filled(normal(variates, weight.shape, std), std)

    @staticmethod
    def _bias(weight: Weight, network: Network, variates: Variates) -> Filled:
        layer = next((one for one in network.beside(weight) if one.role in CONVOLUTIONS), None)
        if layer is None:
            return Filled(constant(weight.shape, 0.0), 0.0)
        std = _torch_std(layer)
        return Filled(draw(variates, weight.shape, "uniform", std), std)


def _torch_std(weight: Weight) -> float:
    """U(±1 / √fan_in): kaiming_uniform_ with a = √5."""
    return 1.0 / math.sqrt(3.0 * fan(weight, "fan_in"))
