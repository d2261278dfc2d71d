"""The vision transformer of MoCo v3: Xavier for each of query, key and value, and fixed positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.distributions import draw, normal
from initprobe.init.fans import scaled_std
from initprobe.init.positions import is_class_token, is_position
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, Treatment, register
from initprobe.init.sinusoids import position_table
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates

TOKEN_STD = 1e-6


@register
class VitMoco(Scheme):
    """Xavier throughout, matrix by matrix."""

    card = SchemeCard(
        name="vit_moco",
        family="transformer",
        summary="Xavier matrix by matrix, patches included, with waves for positions",
        formula="W ~ U(±√(6 / (fan_in + fan_out))), each of query, key and value by itself: variance 1 / width, and "
        "not the 1 / (2 · width) of the packed matrix; class tokens N(0, 1e-12); positions: sines and cosines over the "
        "grid of patches, zero for the class token; biases 0",
        assumes="pre-norm blocks, a square grid of patches; the paper freezes the patches' projection and the "
        "positions, which is for the training to do",
        when="for self-supervised vision transformers, and as a sound Xavier for any attention",
        reference="Chen, Xie & He 2021, An Empirical Study of Training Self-Supervised Vision Transformers (arXiv "
        "2104.02057); facebookresearch/moco-v3 vits.py, timm init_weights_vit_moco",
        aliases=("xavier_attention",),
    )

    base: float = Field(10000.0, gt=1.0, description="the longest wave of the positions is 2π times that")

    def treatment(self, weight: Weight) -> Treatment:
        """Positions are written too."""
        return "draw" if is_position(weight) else super().treatment(weight)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:  # noqa: ARG002
        """See the card."""
        if is_position(weight):
            table, extra = position_table(weight.shape, -1, 2, self.base)
            return Filled(table, None, note=f"its first {extra} rows are no patches: zero" if extra else None)
        if is_class_token(weight):
            return Filled(normal(variates, weight.shape, TOKEN_STD), TOKEN_STD)
        std = scaled_std(weight, "fan_avg", 1.0)
        return Filled(draw(variates, weight.shape, "uniform", std), std)
