"""LayerScale: residual branches whose channels start at a small multiple that depends on the depth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from initprobe.init.branches import check_gates, gated_branch, missing_gates
from initprobe.init.distributions import constant, normal
from initprobe.init.fans import Factor, fan
from initprobe.init.schemes.base import EMBEDDINGS_TOO, Filled, Scheme, SchemeCard, Treatment, register
from initprobe.records import Role, Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates

STEPS = ((18, 0.1), (24, 1e-5))
"""The largest depth that starts at each value."""

DEEPEST = 1e-6

MOST_SUBLAYERS = 3
"""Branches of one layer: attention, cross-attention, feed-forward. A module that holds more holds many layers."""


@register
class LayerScale(Scheme):
    """The gates of residual branches become a small constant."""

    card = SchemeCard(
        name="layerscale",
        family="residual",
        summary="every channel of a residual branch is multiplied by 0.1, 1e-5 or 1e-6, by the depth",
        formula="x + diag(λ) F(x), λ = 0.1 up to 18 layers, 1e-5 up to 24, 1e-6 beyond; W ~ N(0, 0.02²), embeddings "
        "too; biases 0",
        assumes="a scale per channel on every branch, in the model, and a normalization in front of it",
        when="for deep pre-norm vision transformers and ConvNeXt; with λ this small the network starts as its stem "
        "and its head",
        reference="Touvron et al. 2021, Going Deeper with Image Transformers (arXiv 2103.17239), section 2",
    )
    treatments: ClassVar[Mapping[Role, Treatment]] = {**EMBEDDINGS_TOO, "gate": "draw"}

    value: float | Literal["auto"] = Field("auto", description="auto: by the depth, as in the paper")
    std: Factor = Field(0.02, description="of every other weight")

    def check_network(self, network: Network) -> None:
        """Make sure that branches have scales.

        Raises:
            UsageError: there are no residual branches, or none has one.
        """
        check_gates(network, "layerscale", "a scale per channel")

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """One matrix, or the scale of a branch.

        Raises:
            UndrawableError: nothing was seen to use it, or it multiplies no branch.
        """
        if weight.role == "gate":
            gated_branch(weight, network)
            value = scale_at(network.once(layer_count)) if self.value == "auto" else self.value
            return Filled(constant(weight.shape, value), 0.0)
        fan(weight, "fan_in")
        return Filled(normal(variates, weight.shape, self.std), self.std)

    def remarks(self, network: Network) -> Sequence[str]:
        """The depth that was counted, and branches without a scale."""
        told = list(missing_gates(network, "scale"))
        if self.value == "auto":
            layers = network.once(layer_count)
            told.append(f"{layers} layers were counted, so the scales are {scale_at(layers):g}")
        return told


def scale_at(layers: int) -> float:
    """The paper's value for a depth."""
    return next((value for deepest, value in STEPS if layers <= deepest), DEEPEST)


def layer_count(network: Network) -> int:
    """How many layers deep the network is: an attention and the feed-forward branch behind it are one layer.

    In a transformer the longest residual stream counts alone: CaiT's two layers on the class token are not part of its
    depth. Elsewhere every branch is a layer.
    """
    branches = network.anatomy.outer_branches
    if not any(weight.attention for weight in network.anatomy.weights):
        return len(branches)
    streams = [set(stream.sites) for stream in network.anatomy.streams if stream.kind == "residual"]
    along = [[branch for branch in branches if branch.join in sites] for sites in streams]
    longest = max(along, key=len, default=[]) or list(branches)
    blocks = Counter(branch.block for branch in longest)
    counts = [len(longest)]
    if max(blocks.values()) <= MOST_SUBLAYERS:
        counts.append(len(blocks))
    attending = sum(any(_attends(name, network) for name in branch.weights) for branch in longest)
    return min([*counts, attending] if attending else counts)


def _attends(name: str, network: Network) -> bool:
    """Whether a weight is a projection of an attention."""
    slot = network.slots.get(name)
    return slot is not None and slot.weight.attention is not None
