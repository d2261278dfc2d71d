"""Which extents of a weight grow with the width of a network, and how many times wider it is than its reference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BaseModel, Field

from initprobe.errors import UsageError
from initprobe.init.distributions import Distribution
from initprobe.init.fans import Gain
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.init.network import Network

Optimizer = Literal["adam", "sgd"]
Extent = Annotated[float, Field(gt=0.0)]

TIED = "it is the last layer too, whose output muP divides by the width; the model has to do that"
"""What to tell of a table that is both an embedding and the head."""

RAW: frozenset[str] = frozenset(["linear", "conv", "transposed", "recurrent"])


class WidthOptions(BaseModel):
    """What schemes share that transfer learning rates between widths."""

    reads: ClassVar[frozenset[str]] = frozenset({"source"})

    base_width: Extent = Field(64.0, description="width of the network that the learning rate was tuned on")
    width: Extent | Literal["auto"] = Field(
        "auto", description="of this network; auto: what its head takes, else its residual stream"
    )
    optimizer: Optimizer = Field("adam", description="adam (and its kin) | sgd: which learning rates")
    gain: Gain = Field("auto", description="auto: 1 / √(E f²) of the activation before the weight")
    zero_readout: bool = Field(False, description="whether the last layer starts at zero")  # noqa: FBT003
    distribution: Distribution = Field("normal", description="shape of the distribution")

    def growth(self, weight: Weight, network: Network) -> Growth:
        """What of a weight grows, under these options."""
        return growth(weight, network, self.base_width, self.width)


@dataclass(frozen=True, slots=True)
class Growth:
    """How many times larger the fans of a weight are than in the reference; None where they do not grow with width.

    Both grow in a hidden weight, only fan_out in an input weight and a bias, only fan_in in an output weight.
    """

    fan_in: float | None = None
    fan_out: float | None = None

    @property
    def kind(self) -> Literal["input", "hidden", "output", "fixed"]:
        """What the weight is in the tables of the papers."""
        if self.fan_in is not None:
            return "output" if self.fan_out is None else "hidden"
        return "fixed" if self.fan_out is None else "input"


def check_width(network: Network, width: float | Literal["auto"]) -> None:
    """Make sure that the width of the network, or what grew against its reference, is known.

    Raises:
        UsageError: it is not, or the reference network is one of another kind.
    """
    if not network.source:
        network.once(width_of, width)
        return
    found = [(weight, network.in_source(weight)) for weight in network.anatomy.weights]
    if all(reference is None for _, reference in found):
        raise UsageError(
            "no parameter of the reference network has the name of one of this network: names tell what grew",
            hint="give as source a network that differs in its widths alone, or none and a base_width",
        )
    for weight, reference in found:
        if reference is not None and reference.dim() != len(_whole(weight, network)):
            raise UsageError(
                f"{weight.name} has {len(_whole(weight, network))} axes, and {reference.dim()} in the reference "
                "network",
                hint="give as source a network that differs in its widths alone",
            )


def growth(weight: Weight, network: Network, base_width: float, width: float | Literal["auto"]) -> Growth:
    """What grows, told by the reference network where there is one, else by the place of the weight.

    Args:
        weight: a parameter, or a part of one.
        network: with the parameters of the reference network as its source, if there is one.
        base_width: of the reference network, where there is none.
        width: of this network; auto: what its head takes, or its residual stream.
    """
    if network.source:
        reference = network.in_source(weight)
        return Growth() if reference is None else _against(weight, _whole(weight, network), reference)
    times = network.once(width_of, width) / base_width
    if weight.role == "bias":
        return Growth(None, None if _is_end(weight, network) else times)
    if weight.role in {"norm", "gate", "embedding", "depthwise"}:
        return Growth(None, times)
    if weight.head:
        return Growth(None if takes_raw(weight, network) else times, None)
    return Growth(None if takes_raw(weight, network) else times, times)


def width_of(network: Network, width: float | Literal["auto"]) -> float:
    """The width of a network: what its head takes, or of its residual stream where no weight makes the output.

    Raises:
        UsageError: neither tells it.
    """
    if width != "auto":
        return width
    weights = network.anatomy.weights
    heads = [one.shape[-1] if one.role == "embedding" else one.fan_in for one in weights if one.head]
    streams = [one.shape[one.unit_axis] for one in weights if one.tail and one.unit_axis is not None]
    known = [float(one) for one in heads if one] or [float(one) for one in streams]
    if not known:
        raise UsageError(
            "the width of this network is unknown: no weight makes its output, and it has no residual stream",
            hint="say it with the option width=..., or give a narrower network as source",
        )
    return max(known)


def takes_raw(weight: Weight, network: Network) -> bool:
    """Whether a weight's input is the network's own: the first weight outside of branches, behind no embedding."""
    if weight.depth != 1 or weight.branch is not None or weight.role not in RAW or weight.recurrent == "hidden":
        return False
    return not network.once(_embeds)


def _embeds(network: Network) -> bool:
    """Whether the network looks its input up in a table."""
    return any(one.role == "embedding" and one.traced for one in network.anatomy.weights)


def _is_end(bias: Weight, network: Network) -> bool:
    """Whether a bias is added to the model's output."""
    return any(weight.head for weight in network.beside(bias))


def _against(weight: Weight, whole: tuple[int, ...], reference: Tensor) -> Growth:
    """The growth of a weight against the same weight in the reference network; a part grows as the whole does."""
    grown = {
        axis: size / base
        for axis, (size, base) in enumerate(zip(whole, reference.shape, strict=True))
        if size != base and base
    }
    if len(whole) < 2:
        return Growth(None, grown.get(0))
    if weight.role == "depthwise":
        return Growth(None, next(iter(grown.values()), None))
    axis = 0 if weight.unit_axis is None else weight.unit_axis
    if weight.role == "embedding":
        return Growth(None, grown.get(len(whole) - 1))
    inputs = [times for place, times in grown.items() if place != axis]
    return Growth(math.prod(inputs) if inputs else None, grown.get(axis))


def _whole(weight: Weight, network: Network) -> tuple[int, ...]:
    """The shape of the parameter that a weight is, or is a part of."""
    return network.slots[weight.name].weight.shape if weight.name in network.slots else weight.shape


def learning_rate(grown: Growth, optimizer: Optimizer) -> float:
    """What muP multiplies the learning rate of a parameter by (Yang et al. 2022, Table 3)."""
    fan_in, fan_out = grown.fan_in or 1.0, grown.fan_out or 1.0
    return 1.0 / fan_in if optimizer == "adam" else fan_out / fan_in


def readout_shrinkage(grown: Growth) -> float:
    """What muP multiplies the standard deviation of a weight by: variance 1 / fan_in² in the last layer."""
    return 1.0 if grown.kind != "output" else 1.0 / math.sqrt(grown.fan_in or 1.0)
