"""BERT: a truncated normal of one small width for everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.distributions import normal, truncated_normal, truncated_std
from initprobe.init.fans import Factor
from initprobe.init.positions import is_table
from initprobe.init.schemes.base import EMBEDDINGS_TOO, SchemeCard, Treatment, WeightScheme, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.variates import Variates


@register
class Bert(WeightScheme):
    """N(0, 0.02²) cut off at ±0.04."""

    card = SchemeCard(
        name="bert",
        family="transformer",
        summary="normal with width 0.02, cut off at two of its sigmas, for all weights and embeddings",
        formula="W ~ N(0, std²) cut off at ±2 · std: the standard deviation of what is left is 0.8796 · std, 0.0176; "
        "embeddings and positions likewise, biases 0",
        assumes="a normalization behind or before each branch: the width knows nothing of fan_in or depth",
        when="for post-norm encoders trained with warm-up, as BERT is; deep pre-norm stacks are better off with gpt2, "
        "which scales the ends of the branches",
        reference="Devlin et al. 2019 (arXiv 1810.04805); google-research/bert modeling.py, create_initializer. "
        "transformers and fairseq draw the plain normal: truncated=False",
    )
    treatments = EMBEDDINGS_TOO

    std: Factor = Field(0.02, description="sigma of the normal before it is cut off")
    truncated: bool = Field(
        default=True,
        description="cut off at ±2 · std and not widened again, as TensorFlow does; False: N(0, std²) as in ports",
    )

    def treatment(self, weight: Weight) -> Treatment:
        """Tables of positions are drawn too."""
        return "draw" if is_table(weight) else super().treatment(weight)

    def declared_std(self, weight: Weight) -> float:  # noqa: ARG002 - the same everywhere
        """The width, times 0.8796 if the normal is cut off."""
        return self.std * truncated_std() if self.truncated else self.std

    def draw(self, weight: Weight, variates: Variates) -> Tensor:
        """Numbers of that width."""
        law = truncated_normal if self.truncated else normal
        return law(variates, weight.shape, self.std)
