"""Small biases by distance for attentions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.distributions import normal
from initprobe.init.fans import Factor, UndrawableError
from initprobe.init.positions import is_relative
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class RelativePosition(Scheme):
    """N(0, 0.02²) for tables of biases by distance."""

    card = SchemeCard(
        name="relative_position",
        family="transformer",
        summary="N(0, 0.02²) for biases by distance inside of attentions; everything else stays as it is",
        formula="B ~ N(0, std²); 0.02 in Swin; T5 draws 1 / √width",
        assumes="a table with one row per distance and one column per head, added to the scores before the softmax: "
        "small against them, so that attention starts out blind to distance",
        when='for tables of relative positions: with only="*relative*", or as an override for the parameter\'s name '
        "next to the scheme for the rest; a table is taken for one by its name (relative, rel) or because it is added "
        "inside of a residual branch, and any parameter that an override names is one",
        reference="Liu et al. 2021, Swin Transformer (arXiv 2103.14030), eq. 4; Raffel et al. 2020, T5 (arXiv "
        "1910.10683), section 2.1. Swin's truncated normal is cut off at ±2, 100 sigmas away: nothing is cut off",
    )

    std: Factor = Field(0.02, description="of the biases")

    def fill(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Small numbers for tables of relative positions.

        Raises:
            UndrawableError: it is none.
        """
        if is_relative(weight):
            return self.fill_weight(weight, network, variates)
        raise UndrawableError("it is no table of relative positions; match the parameter by its own name to draw it")

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:  # noqa: ARG002
        """Normal numbers."""
        return Filled(normal(variates, weight.shape, self.std), self.std)
