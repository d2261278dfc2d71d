"""Magneto: a second normalization inside every branch, and weights that grow with the logarithm of the depth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.init.towers import Tower, TowerOptions, Towers
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.records import Anatomy
    from initprobe.variates import Variates


@register
class Magneto(TowerOptions, Scheme):
    """Xavier, with the gain γ for feed-forward, value and output projections."""

    card = SchemeCard(
        name="magneto",
        family="transformer",
        summary="Xavier, times γ(depth) on feed-forward, value and output projections of Sub-LN transformers",
        formula="Var W = 2 γ² / (fan_in + fan_out), γ = 1 for queries, keys, cross-attention and all that lies in no "
        "branch; N layers alone: γ = √(ln 2N); encoder of N with decoder of M: γ = √(ln 2N · ln 3M / 3); decoder: "
        "γ = √(ln 3M)",
        assumes="x ← x + W₂ LayerNorm(W₁ LayerNorm(x)): a normalization before the last weight of every branch",
        when="for transformers with Sub-LN; without the second normalization the branches grow by γ² instead",
        reference="Wang et al. 2022, Foundation Transformers / Magneto (arXiv 2210.06423), fig. 2 and section 3; that "
        "cross-attention is left alone follows the authors' torchscale",
        aliases=("subln",),
    )

    scales_cross: ClassVar[bool] = False

    def remarks(self, network: Network) -> Sequence[str]:
        """The branches without the second normalization."""
        branches = [branch for tower in self.towers(network).towers for branch in tower.branches]
        tails = _behind_norms(network.anatomy)
        bare = [branch for branch in branches if not tails.issuperset(branch.tails)]
        if not bare:
            return ()
        told = f"{len(bare)} of {len(branches)} branches have none there, {bare[0].tails[0]} among them"
        return (f"Sub-LN has a normalization before the last weight of every branch; {told}",)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Xavier's numbers, times γ inside of branches."""
        return Filled(*self.xavier(weight, network, variates))

    def factor(self, tower: Tower, towers: Towers) -> float:
        """Gamma of the paper."""
        layers = max(tower.layers, 1)
        if tower.kind == "alone":
            return math.sqrt(math.log(2 * layers))
        if tower.kind == "decoder":
            return math.sqrt(math.log(3 * layers))
        return math.sqrt(math.log(2 * layers) * math.log(3 * towers.decoder_layers) / 3.0)


def _behind_norms(anatomy: Anatomy) -> set[str]:
    """Names of the weights whose input comes straight out of a normalization."""
    found: set[str] = set()
    before = "other"
    for site in anatomy.sites:
        if site.alias_of is not None:
            continue
        if site.weight is not None and before == "norm":
            found.add(site.weight)
        if site.kind != "other" or site.operation is not None:
            before = site.kind
    return found
