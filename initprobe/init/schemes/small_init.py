"""SmallInit: the width of a feed-forward matrix for every matrix of a transformer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from initprobe.errors import UsageError
from initprobe.init.distributions import normal
from initprobe.init.positions import is_table
from initprobe.init.schemes.base import EMBEDDINGS_TOO, Filled, Scheme, SchemeCard, Treatment, register
from initprobe.init.stacks import stream_width
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class SmallInit(Scheme):
    """N(0, 2 / (5 d)) for a residual stream of d units."""

    card = SchemeCard(
        name="small_init",
        family="transformer",
        summary="normal with variance 2 / (5 d), d the width of the residual stream",
        formula="W ~ N(0, 2 / (d + 4 d)): Xavier's variance of a feed-forward matrix from d to 4 d units, for every "
        "matrix and embedding; biases 0",
        assumes="a transformer whose branches start or end with a normalization; attention matrices, which are "
        "smaller, get 2 / 5 of Xavier's variance",
        when="for pre-norm transformers without warm-up; wang_init draws the same and makes the ends of the branches "
        "smaller with depth, as GPT-NeoX-20B does",
        reference="Nguyen & Salazar 2019, Transformers without Tears (arXiv 1910.05895), section 2.2 (SmallInit)",
    )
    treatments = EMBEDDINGS_TOO

    width: Annotated[int, Field(gt=0)] | Literal["auto"] = Field(
        "auto", description="units of the residual stream; auto: of the one that the weight reads or writes"
    )

    def check_network(self, network: Network) -> None:
        """Make sure that there is a residual stream, unless its width is given.

        Raises:
            UsageError: there is none.
        """
        if self.width == "auto" and not network.anatomy.outer_branches:
            raise UsageError(
                "small_init takes its variance from the width of the residual stream, and this network has none",
                hint="small_init(width=512) says it; lecun_normal goes by the fan_in of each weight",
            )

    def treatment(self, weight: Weight) -> Treatment:
        """Tables of positions are drawn too."""
        return "draw" if is_table(weight) else super().treatment(weight)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Normal numbers, the same width everywhere along one stream."""
        width = stream_width(network, weight) if self.width == "auto" else self.width
        std = math.sqrt(2.0 / (5.0 * (width or 1)))
        return Filled(normal(variates, weight.shape, std), std)
