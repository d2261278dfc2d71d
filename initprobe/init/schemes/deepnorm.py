"""DeepNorm: post-norm transformers of a thousand layers, by a longer skip path and shorter branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.init.towers import Tower, TowerOptions, Towers, is_pre_norm
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class DeepNorm(TowerOptions, Scheme):
    """Xavier, with the gain β for feed-forward, value and output projections."""

    card = SchemeCard(
        name="deepnorm",
        family="transformer",
        summary="Xavier, times β(depth) on feed-forward, value and output projections of post-norm transformers",
        formula="Var W = 2 β² / (fan_in + fan_out), β = 1 for queries, keys and all that lies in no branch; "
        "N layers alone: β = (8N)^(-1/4), α = (2N)^(1/4); "
        "encoder of N with decoder of M: β = 0.87 (N⁴M)^(-1/16), α = 0.81 (N⁴M)^(1/16); "
        "decoder: β = (12M)^(-1/4), α = (3M)^(1/4)",
        assumes="x ← LayerNorm(α x + f(x)) with that α, which the model has to bring along",
        when="for deep transformers with the normalization behind the sum; a pre-norm transformer needs none of it",
        reference="Wang et al. 2022, DeepNet: Scaling Transformers to 1,000 Layers (arXiv 2203.00555), fig. 2, Table 1",
        aliases=("deepnet",),
    )

    def remarks(self, network: Network) -> Sequence[str]:
        """The α of the skip paths, which is the model's own."""
        towers = self.towers(network)
        told = []
        for tower in towers.towers:
            alpha, scaled = _alpha(tower, towers), sum(branch.skip == "scaled" for branch in tower.branches)
            wanted = f"DeepNorm multiplies the skip paths of {tower} by α = {alpha:.4g}: LayerNorm(α x + f(x))"
            if scaled == len(tower.branches):
                told.append(f"{wanted}; the model multiplies them, and whether by that number is for you to check")
            else:
                told.append(f"{wanted}; {len(tower.branches) - scaled} of {len(tower.branches)} are not multiplied")
            if is_pre_norm(tower, network):
                told.append(
                    f"DeepNorm is made for normalizations behind the sum, and {tower} has them before the branch"
                )
        return told

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Xavier's numbers, times β inside of branches."""
        return Filled(*self.xavier(weight, network, variates))

    def factor(self, tower: Tower, towers: Towers) -> float:
        """Beta of the paper."""
        layers = max(tower.layers, 1)
        if tower.kind == "encoder":
            return float(0.87 * (layers**4 * towers.decoder_layers) ** -0.0625)
        return float(((12 if tower.kind == "decoder" else 8) * layers) ** -0.25)


def _alpha(tower: Tower, towers: Towers) -> float:
    layers = max(tower.layers, 1)
    if tower.kind == "encoder":
        return float(0.81 * (layers**4 * towers.decoder_layers) ** 0.0625)
    return float(((3 if tower.kind == "decoder" else 2) * layers) ** 0.25)
