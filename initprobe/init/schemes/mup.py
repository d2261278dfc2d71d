"""muP: learning rates that stay right when a network is made wider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.distributions import constant, draw
from initprobe.init.fans import UndrawableError, scaled_std
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.init.widths import TIED, WidthOptions, check_width, learning_rate, readout_shrinkage, width_of
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class MuP(WidthOptions, Scheme):
    """Fan-in scaling, a smaller last layer, and learning rates that depend on the width."""

    card = SchemeCard(
        name="mup",
        family="width",
        summary="variance gain² / fan_in, a last layer that shrinks with width, and learning rates by width",
        formula="W ~ N(0, gain² / fan_in), in the last layer times 1 / √m, for a network m times wider than its "
        "reference; learning rates with Adam: 1 / m for hidden and last weights, 1 for input weights, embeddings and "
        "biases; with SGD: 1 for hidden weights, 1 / m for the last ones, m for input weights, biases and "
        "normalizations, which keep their values",
        assumes="all widths grow together; attention scores divided by the head's width and not by its root",
        when="to tune learning rates on a narrow network and keep them for a wide one: give the optimizer the learning "
        "rates of the Outcome; the narrow one may be given as source, which tells exactly what grew",
        reference="Yang et al. 2022, Tensor Programs V (arXiv 2203.03466), Table 3; zero last layer and queries: "
        "appendix D.2",
    )
    zero_query: bool = Field(False, description="whether query projections start at zero")  # noqa: FBT003

    def check_network(self, network: Network) -> None:
        """Its width has to be known."""
        check_width(network, self.width)

    def remarks(self, network: Network) -> Sequence[str]:
        """What counts as width, and what muP changes in the forward pass."""
        told = []
        if not network.source:
            width = width_of(network, self.width)
            told.append(
                f"counted as {width / self.base_width:.4g} times wider than the reference: {width:.4g} / "
                f"{self.base_width:.4g}"
            )
        if any(weight.attention is not None for weight in network.anatomy.weights):
            told.append(
                "muP divides attention scores by the width of a head, and not by its root: that is the model's own"
            )
        return told

    def fill(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """As every scheme does, with the learning rates of what is not drawn by its fans."""
        grown = self.growth(weight, network)
        rate = learning_rate(grown, self.optimizer)
        try:
            filled = super().fill(weight, network, variates)
        except UndrawableError:
            if rate == 1.0 or weight.role not in {"norm", "gate"}:
                raise
            return Filled(network.values(weight), None, rate)
        if weight.role == "embedding" and weight.head:
            return replace(filled, learning_rate=rate, note=TIED)
        return replace(filled, learning_rate=rate) if weight.role in {"bias", "embedding"} else filled

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Numbers by fan_in, with the learning rate of their place."""
        grown = self.growth(weight, network)
        rate, note = learning_rate(grown, self.optimizer), None
        if network.source and network.in_source(weight) is None:
            note = "the reference network has no such parameter: it counts as one that does not grow"
        if (self.zero_readout and weight.head) or (self.zero_query and weight.attention == "query"):
            return Filled(constant(weight.shape, 0.0), 0.0, rate, note)
        std = scaled_std(weight, "fan_in", self.gain) * readout_shrinkage(grown)
        return Filled(draw(variates, weight.shape, self.distribution, std), std, rate, note)
