"""GPT-2: one small width everywhere, and less at the end of every residual branch the more of them there are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.distributions import normal
from initprobe.init.fans import Factor
from initprobe.init.positions import is_position, is_table
from initprobe.init.schemes.base import EMBEDDINGS_TOO, Filled, Scheme, SchemeCard, Treatment, register
from initprobe.init.stacks import check_stack, ends_branch, stack_of
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class Gpt2(Scheme):
    """N(0, 0.02²), divided by √N at the end of each of N residual branches."""

    card = SchemeCard(
        name="gpt2",
        family="transformer",
        summary="N(0, 0.02²), the last weights of residual branches divided by the root of the number of branches",
        formula="W ~ N(0, std²); last weights of residual branches ~ N(0, std² / N), N = number of residual branches "
        "of the stack (2 per layer of a decoder); embeddings N(0, std²), positions N(0, position_std²), biases 0",
        assumes="a normalization at the start of each branch: 0.02 knows nothing of the width, and is 1 / √fan_in at "
        "width 2500 alone",
        when="for pre-norm transformers, as GPT-2, GPT-3 and Megatron-LM do: what the branches add to the stream does "
        "not grow with depth; not for plain networks, where 0.02 makes signals vanish",
        reference="Radford et al. 2019, Language Models are Unsupervised Multitask Learners, section 2.3 (1 / √N); "
        "the widths are those of openai/gpt-2 src/model.py, which leaves the 1 / √N out; Shoeybi et al. 2019 (arXiv "
        "1909.08053) scale by 1 / √(2 · layers)",
        aliases=("megatron", "megatron_scaled"),
    )
    treatments = EMBEDDINGS_TOO

    std: Factor = Field(0.02, description="of all weights and embeddings")
    position_std: Factor = Field(
        0.01, description="of tables of positions; reproductions of GPT-2 take 0.02 for them as well"
    )
    scale_residual: bool = Field(
        default=True, description="whether the last weights of residual branches are divided by √N"
    )

    def check_network(self, network: Network) -> None:
        """Make sure that there are residual branches to scale.

        Raises:
            UsageError: there are none.
        """
        if self.scale_residual:
            check_stack(network, self.card.name, f"normal(std={self.std:g}) draws the same numbers without that")

    def treatment(self, weight: Weight) -> Treatment:
        """Tables of positions are drawn too."""
        return "draw" if is_table(weight) else super().treatment(weight)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Normal numbers of the width that the weight's place asks for."""
        std = self.position_std if is_position(weight) else self.std
        if self.scale_residual and ends_branch(network, weight):
            std /= math.sqrt(len(stack_of(network, weight)))
        return Filled(normal(variates, weight.shape, std), std)
