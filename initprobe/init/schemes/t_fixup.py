"""T-Fixup: transformers without normalization and without warm-up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from initprobe.init.distributions import draw
from initprobe.init.fans import UndrawableError
from initprobe.init.schemes.base import EMBEDDINGS_TOO, Filled, Scheme, SchemeCard, Treatment, register
from initprobe.init.towers import Tower, TowerOptions, Towers
from initprobe.records import Role, Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class TFixup(TowerOptions, Scheme):
    """Xavier, with smaller feed-forward, value and output projections, and small embeddings."""

    card = SchemeCard(
        name="t_fixup",
        family="transformer",
        summary="Xavier, times N^(-1/4) on feed-forward, value and output projections and on embeddings",
        formula="Var W = 2 g² / (fan_in + fan_out), g = 0.67 N^(-1/4) in an encoder of N layers, (9N)^(-1/4) in a "
        "decoder, 1 for queries, keys and all that lies in no branch; embeddings N(0, 1/d) · (9N)^(-1/4)",
        assumes="no normalization anywhere, Adam, and embeddings that the model multiplies by √d",
        when="for transformers without normalization, trained without warm-up; for a language model say alone=decoder",
        reference="Huang et al. 2020, Improving Transformer Optimization Through Better Initialization (ICML), "
        "the steps of the T-Fixup initialization",
        aliases=("tfixup",),
    )
    treatments: ClassVar[Mapping[Role, Treatment]] = EMBEDDINGS_TOO

    alone: Literal["encoder", "decoder"] = Field(
        "encoder", description="whose factor the layers of a network get that is not both"
    )

    def remarks(self, network: Network) -> Sequence[str]:
        """The normalizations that the scheme makes superfluous, and the factor that embeddings need."""
        norms = sum(site.kind == "norm" for site in network.anatomy.sites)
        told = []
        if norms:
            told.append(f"T-Fixup is made for networks without normalization, and this one has {norms}")
        if any(weight.role == "embedding" for weight in network.anatomy.weights):
            told.append("T-Fixup's embeddings are drawn for a model that multiplies them by √d")
        return told

    def fill(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """As every scheme does; a normalization is kept with a reason of its own."""
        if weight.role == "norm":
            raise UndrawableError("T-Fixup is made for networks without this normalization; it stays as it is")
        return super().fill(weight, network, variates)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Xavier's numbers, times the factor of its place."""
        if weight.role != "embedding":
            return Filled(*self.xavier(weight, network, variates))
        layers = max(_reader(weight, self.towers(network)).layers, 1)
        std = (9 * layers) ** -0.25 / math.sqrt(weight.shape[-1])
        return Filled(draw(variates, weight.shape, self.distribution, std), std)

    def factor(self, tower: Tower, towers: Towers) -> float:  # noqa: ARG002 - each tower by itself
        """That of an encoder or of a decoder."""
        layers = max(tower.layers, 1)
        kind = self.alone if tower.kind == "alone" else tower.kind
        return float(0.67 * layers**-0.25 if kind == "encoder" else (9 * layers) ** -0.25)


def _reader(embedding: Weight, towers: Towers) -> Tower:
    """The tower that an embedding lies next to; the first one where names do not tell, as for a shared table."""
    path = embedding.module.split(".")

    def shared(tower: Tower) -> int:
        block = tower.branches[0].block.split(".")
        return next(
            (i for i, (a, b) in enumerate(zip(path, block, strict=False)) if a != b), min(len(path), len(block))
        )

    return max(towers.towers, key=shared)
