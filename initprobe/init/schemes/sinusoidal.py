"""Waves of many lengths in place of learned positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from initprobe.init.fans import UndrawableError
from initprobe.init.positions import is_position
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.init.sinusoids import position_table
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class Sinusoidal(Scheme):
    """sin and cos of p / 10000^(2 i / d)."""

    card = SchemeCard(
        name="sinusoidal",
        family="transformer",
        summary="sines and cosines for tables of positions; everything else stays as it is",
        formula="P[p, 2 i] = sin(p / base^(2 i / d)), P[p, 2 i + 1] = cos(p / base^(2 i / d)); over an image one half "
        "of the features for each axis, its sines before its cosines",
        assumes="a table with one row per position that is added to the tokens, whose entries are of the order of one "
        "(Vaswani et al. multiply the embeddings by √d for that)",
        when='for tables and lookups of positions: with only="pos_embed", or as an override for the parameter\'s name '
        "next to the scheme for the rest; a lookup is taken for one of positions by its name (wpe, pos, position), and "
        "any parameter that an override names is one",
        reference="Vaswani et al. 2017, Attention Is All You Need (arXiv 1706.03762), section 3.5; over images Chen, "
        "Xie & He 2021 (arXiv 2104.02057)",
    )

    dimensions: Literal[1, 2] = Field(
        1, description="1: places in a row; 2: patches of a square image, row by row, with zeros for tokens before them"
    )
    base: float = Field(10000.0, gt=1.0, description="the longest wave is 2π times that")
    axis: int = Field(-1, description="the axis of the parameter that counts the features")

    def fill(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Waves for positions.

        Raises:
            UndrawableError: it is no table of positions.
        """
        if is_position(weight):
            return self.fill_weight(weight, network, variates)
        raise UndrawableError("no table of positions was seen in it; match the parameter by its own name to draw it")

    def fill_chosen(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """The same for whatever was chosen by name: a table is one thing, whatever it is taken for."""
        return self.fill_weight(weight, network, variates)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:  # noqa: ARG002
        """The table.

        Raises:
            UndrawableError: its shape is none of a table of positions.
        """
        if not -len(weight.shape) <= self.axis < len(weight.shape):
            raise UndrawableError(f"a tensor of shape {weight.shape} has no axis {self.axis}")
        table, extra = position_table(weight.shape, self.axis, self.dimensions, self.base)
        return Filled(table, None, note=f"its first {extra} rows are no patches: zero" if extra else None)
