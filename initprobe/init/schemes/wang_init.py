"""Wang: ends of residual branches that shrink with the number of layers, and not with its root."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from initprobe.init.distributions import normal
from initprobe.init.positions import is_table
from initprobe.init.schemes.base import EMBEDDINGS_TOO, Filled, Scheme, SchemeCard, Treatment, register
from initprobe.init.stacks import check_stack, ends_branch, layers_of, stream_width
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates

Count = Annotated[int, Field(gt=0)] | Literal["auto"]


@register
class WangInit(Scheme):
    """Standard deviation 2 / (L √d) at the ends of the branches, √(2 / (5 d)) elsewhere."""

    card = SchemeCard(
        name="wang_init",
        family="transformer",
        summary="the ends of residual branches with standard deviation 2 / (layers · √d), the rest as small_init",
        formula="last weights of residual branches ~ N(0, (2 / (L √d))²), L layers, d units of the residual stream; "
        "all other weights and embeddings ~ N(0, 2 / (5 d)); biases 0",
        assumes="a pre-norm transformer with two branches per layer; what all branches together add to the stream has "
        "a variance that falls like 1 / L",
        when="for deep pre-norm transformers, as GPT-J and GPT-NeoX-20B are drawn; for few layers (L < 4) the ends are "
        "larger than the rest",
        reference="Wang & Komatsuzaki 2021, mesh-transformer-jax layers.py; Black et al. 2022, GPT-NeoX-20B (arXiv "
        "2204.06745), section 2.1.3, with small_init; megatron/model/init_functions.py of GPT-NeoX",
        aliases=("gpt_neox",),
    )
    treatments = EMBEDDINGS_TOO

    layers: Count = Field(
        "auto", description="L; auto: as many as feed-forward branches, or as branches where all hold an attention"
    )
    width: Count = Field("auto", description="d; auto: units of the stream that the weight reads or writes")

    def check_network(self, network: Network) -> None:
        """Make sure that there are residual branches.

        Raises:
            UsageError: there are none.
        """
        check_stack(network, self.card.name, "lecun_normal goes by the fan_in of each weight")

    def treatment(self, weight: Weight) -> Treatment:
        """Tables of positions are drawn too."""
        return "draw" if is_table(weight) else super().treatment(weight)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Normal numbers of the width that the weight's place asks for."""
        width = (stream_width(network, weight) or 1) if self.width == "auto" else self.width
        std = math.sqrt(2.0 / (5.0 * width))
        if ends_branch(network, weight):
            layers = layers_of(network, weight)[1] if self.layers == "auto" else self.layers
            std = 2.0 / (layers * math.sqrt(width))
        return Filled(normal(variates, weight.shape, std), std)
