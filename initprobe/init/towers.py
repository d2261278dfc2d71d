"""Which residual branches of a transformer are an encoder's, which a decoder's, and which attend to an encoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field

from initprobe.errors import UsageError
from initprobe.init.distributions import Distribution, draw
from initprobe.init.fans import scaled_std
from initprobe.records import Anatomy, Branch, SiteKind, Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.init.network import Network
    from initprobe.variates import Variates

Layers = Annotated[int, Field(ge=1)] | Literal["auto"]
Kind = Literal["alone", "encoder", "decoder"]
Group = tuple[Branch, ...]
"""Branches that are added to one value at once."""


@dataclass(frozen=True, slots=True)
class Tower:
    """One stack of transformer layers.

    Attributes:
        kind: ``alone`` is an encoder or a decoder by itself; encoders and decoders come together.
        layers: how many attentions to itself it has, or as many as were asked for.
        branches: those of its main stream.
        cross: indices of the branches that attend to an encoder.
    """

    kind: Kind
    layers: int
    branches: tuple[Branch, ...]
    cross: frozenset[int] = frozenset()

    def __str__(self) -> str:
        return "the network" if self.kind == "alone" else f"the {self.kind}"


@dataclass(frozen=True, slots=True)
class Towers:
    """All towers of a network, in the order in which they run.

    Attributes:
        towers: those.
        places: each one by the indices of its branches.
    """

    towers: tuple[Tower, ...]
    places: Mapping[int, Tower] = field(default_factory=dict)

    @property
    def encoder_layers(self) -> int:
        """N of the papers: the layers of the deepest encoder."""
        return max((tower.layers for tower in self.towers if tower.kind == "encoder"), default=0)

    @property
    def decoder_layers(self) -> int:
        """M of the papers."""
        return max((tower.layers for tower in self.towers if tower.kind == "decoder"), default=0)

    def holding(self, weight: Weight, network: Network) -> Tower | None:
        """The tower that a weight lies in, None where it lies in none."""
        branch = network.outer_branch(weight)
        return None if branch is None else self.places.get(branch.index)


class TowerOptions(BaseModel, ABC):
    """What schemes share that draw Xavier's numbers times a factor of the depth: all but queries and keys get it.

    Attributes:
        scales_cross: whether attentions to an encoder get it too.
    """

    card: ClassVar[Any]
    scales_cross: ClassVar[bool] = True

    layers: Layers = Field("auto", description="layers of an encoder or a decoder by itself; auto: its attentions")
    encoder_layers: Layers = Field("auto", description="layers of the encoder where there is a decoder too")
    decoder_layers: Layers = Field("auto", description="layers of the decoder where there is an encoder too")
    distribution: Distribution = Field(
        "normal", description="normal, as in the papers on DeepNorm and Magneto; T-Fixup's code draws uniform numbers"
    )

    @abstractmethod
    def factor(self, tower: Tower, towers: Towers) -> float:
        """What the weights of a tower are multiplied by."""

    def check_network(self, network: Network) -> None:
        """There has to be a transformer."""
        check_towers(self.card.name, self.towers(network))

    def xavier(self, weight: Weight, network: Network, variates: Variates) -> tuple[Tensor, float]:
        """Xavier's numbers, times the factor of the weight's place, and their standard deviation."""
        towers, branch, factor = self.towers(network), network.outer_branch(weight), 1.0
        tower = towers.holding(weight, network)
        if tower is not None and branch is not None and not is_score_projection(weight):
            left = branch.index in tower.cross and not self.scales_cross
            factor = 1.0 if left else self.factor(tower, towers)
        std = scaled_std(weight, "fan_avg", factor)
        return draw(variates, weight.shape, self.distribution, std), std

    def towers(self, network: Network) -> Towers:
        """The towers of a network, as deep as the options say."""
        return network.once(
            find_towers, layers=self.layers, encoder_layers=self.encoder_layers, decoder_layers=self.decoder_layers
        )


def find_towers(
    network: Network, *, layers: Layers = "auto", encoder_layers: Layers = "auto", decoder_layers: Layers = "auto"
) -> Towers:
    """The towers of a network.

    A new tower starts where the weights are less deep than those of the branch before: at the embedding of a decoder's
    input. Its branch right behind an attention that attends once more, and that is deeper than the whole encoder, reads
    the encoder's output; behind it every second attention in a row does.

    Args:
        network: its anatomy tells.
        layers: of a network that is an encoder or a decoder by itself.
        encoder_layers: of the encoder of a network that is both.
        decoder_layers: of its decoder.
    """
    depths = {weight.name: weight.depth or 0 for weight in network.anatomy.weights}
    attending = {weight.name for weight in network.anatomy.weights if weight.attention is not None}
    stacks = _stacks(network.anatomy, depths)
    crossing = [_crossing(stack, stacks[:place], depths, attending) for place, stack in enumerate(stacks)]
    towers = []
    for place, (stack, cross) in enumerate(zip(stacks, crossing, strict=True)):
        kind: Kind = "decoder" if cross else "encoder" if any(crossing[place + 1 :]) else "alone"
        asked = {"alone": layers, "encoder": encoder_layers, "decoder": decoder_layers}[kind]
        branches = tuple(branch for group in stack for branch in group)
        own = sum(branch.index not in cross and not attending.isdisjoint(branch.weights) for branch in branches)
        towers.append(Tower(kind, own if asked == "auto" else asked, branches, cross))
    return Towers(tuple(towers), {branch.index: tower for tower in towers for branch in tower.branches})


def check_towers(name: str, towers: Towers) -> None:
    """Make sure that there are transformer layers at all.

    Raises:
        UsageError: there are none.
    """
    if not any(tower.branches for tower in towers.towers):
        raise UsageError(
            f"{name} scales the residual branches of a transformer, and this network has no residual branch",
            hint="kaiming_normal, or orthogonal for a deep plain network",
        )
    if not any(tower.layers for tower in towers.towers):
        raise UsageError(
            f"{name} counts the layers of a transformer, and no residual branch of this network holds an attention",
            hint=f"{name}(layers=N) to say how many there are, or fixup for a convolutional residual network",
        )


def is_score_projection(weight: Weight) -> bool:
    """Whether a weight makes queries or keys and no values: what it puts out is not added to the stream."""
    return weight.attention in {"query", "key", "query_key"}


def follows_norm(branch: Branch, network: Network) -> bool | None:
    """Whether what a branch is added to comes out of a normalization (post-norm); None where no site shows it."""
    kind = None if branch.beside is None else network.once(_kinds).get(branch.beside)
    return None if branch.skip != "identity" or kind is None else kind == "norm"


def _kinds(network: Network) -> Mapping[str, SiteKind]:
    """What made the value of every site."""
    return {site.key: site.kind for site in network.anatomy.sites}


def is_pre_norm(tower: Tower, network: Network) -> bool:
    """Whether its branches are added to a stream that no normalization interrupts."""
    seen = [follows_norm(branch, network) for branch in tower.branches[1:]]
    return False in seen and True not in seen


def _stacks(anatomy: Anatomy, depths: Mapping[str, int]) -> list[list[Group]]:
    """The branches of the main streams, cut where a new one starts."""
    groups: list[Group] = []
    for branch in anatomy.outer_branches:
        if groups and branch.join is not None and branch.join == groups[-1][0].join:
            groups[-1] = (*groups[-1], branch)
        else:
            groups.append((branch,))
    stacks: list[list[Group]] = []
    last: tuple[int, int] | None = None
    for group in groups:
        reach = [depths.get(name, 0) for branch in group for name in branch.weights]
        ends = (min(reach, default=0), max(reach, default=0))
        if last is None or (ends[0] < last[0] and ends[1] < last[1]):
            stacks.append([])
        stacks[-1].append(group)
        last = ends
    return stacks


def _crossing(
    stack: Sequence[Group], before: Sequence[Sequence[Group]], depths: Mapping[str, int], attending: set[str]
) -> frozenset[int]:
    """Indices of the branches that attend to an encoder's output; empty where the first of them does not."""
    found: list[Branch] = []
    after_attention = False
    for group in stack:
        attends = any(not attending.isdisjoint(branch.weights) for branch in group)
        crosses = attends and after_attention
        if crosses:
            found += [branch for branch in group if not attending.isdisjoint(branch.weights)]
        after_attention = attends and not crosses
    if not found or not before:
        return frozenset()
    encoded = max(depths.get(name, 0) for earlier in before for group in earlier for b in group for name in b.weights)
    reach = max(depths.get(name, 0) for name in found[0].weights)
    return frozenset(branch.index for branch in found) if reach > encoded else frozenset()
