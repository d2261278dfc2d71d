"""BEiT: the end of every residual branch is the smaller the later it comes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.distributions import normal, truncated_normal, truncated_std
from initprobe.init.fans import Factor
from initprobe.init.positions import is_position, is_relative
from initprobe.init.schemes.base import EMBEDDINGS_TOO, Filled, Scheme, SchemeCard, Treatment, register
from initprobe.init.stacks import check_stack, ends_branch, layers_of
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class BeitFix(Scheme):
    """A normal of width 0.02, divided by √(2 l) at the ends of the branches of layer l."""

    card = SchemeCard(
        name="beit_fix",
        family="transformer",
        summary="N(0, 0.02²) cut off at one sigma, the ends of the branches of layer l divided by √(2 l)",
        formula="W ~ N(0, std²) cut off at ±std: the standard deviation of what is left is 0.5396 · std; last weights "
        "of the branches of layer l (from 1) divided by √(2 l); positions and tokens likewise, biases and tables of "
        "relative positions 0",
        assumes="pre-norm blocks of an attention and a feed-forward branch: layer l is then where 2 l branches have "
        "been added",
        when="for deep vision transformers, which it keeps from diverging; the variance that is added falls off with "
        "depth like 1 / l, so that the stream grows by a logarithm, where gpt2 bounds it",
        reference="Bao et al. 2022, BEiT (arXiv 2106.08254), section 2.5; microsoft/unilm beit/modeling_pretrain.py. "
        "timm's port does not cut off: truncated=False",
        aliases=("beit", "beit_fix_init"),
    )
    treatments = EMBEDDINGS_TOO

    std: Factor = Field(0.02, description="sigma of the normal before it is cut off")
    truncated: bool = Field(default=True, description="cut off at ±std, as the paper's code does; False: N(0, std²)")

    def check_network(self, network: Network) -> None:
        """Make sure that there are residual branches to scale.

        Raises:
            UsageError: there are none.
        """
        check_stack(network, self.card.name, "trunc_normal or bert draw all weights alike")

    def treatment(self, weight: Weight) -> Treatment:
        """Tables of positions are drawn, those of relative positions are zero."""
        if is_relative(weight):
            return "zero"
        return "draw" if is_position(weight) else super().treatment(weight)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Numbers of the width that the weight's layer asks for."""
        sigma = self.std
        if ends_branch(network, weight):
            sigma /= math.sqrt(2.0 * layers_of(network, weight)[0])
        if not self.truncated:
            return Filled(normal(variates, weight.shape, sigma), sigma)
        values = truncated_normal(variates, weight.shape, sigma, -1.0, 1.0)
        return Filled(values, sigma * truncated_std(-1.0, 1.0))
