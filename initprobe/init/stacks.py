"""How deep and how wide a residual network is, as schemes for transformers count it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import takewhile
from typing import TYPE_CHECKING

from initprobe.errors import UsageError
from initprobe.records import Branch, Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network


def check_stack(network: Network, scheme: str, hint: str) -> None:
    """Make sure that there are residual branches to scale.

    Raises:
        UsageError: there are none.
    """
    if not network.anatomy.outer_branches:
        raise UsageError(
            f"{scheme} scales the last weights of residual branches, and this network has no residual branch",
            hint=hint,
        )


def stack_of(network: Network, weight: Weight) -> tuple[Branch, ...]:
    """The outer residual branches of the stack that a weight lies in; empty where it lies in no branch.

    An encoder and a decoder are two stacks: those of their branches that lie in blocks of one list. The list is told by
    the path of the block up to its first number.
    """
    own = network.outer_branch(weight)
    return () if own is None else network.once(_stacks)[_list(own)]


def ends_branch(network: Network, weight: Weight) -> bool:
    """Whether a weight is a last one of a branch of the main residual stream: what it makes is added to the stream."""
    own = network.outer_branch(weight)
    return own is not None and weight.name in own.tails


def layers_of(network: Network, weight: Weight) -> tuple[int, int]:
    """Which layer of its stack a weight lies in, from 1, and how many there are; (0, 0) outside of all branches.

    A layer of a transformer is a feed-forward branch and the attentions before it, or beside it. Where all branches
    hold an attention, or none does, every branch is a layer.
    """
    own = network.outer_branch(weight)
    if own is None:
        return 0, 0
    return network.once(_layers)[own.index]


def stream_width(network: Network, weight: Weight) -> int | None:
    """How many units the residual stream has that a weight reads or writes; None without residual branches.

    Outside of all branches it is the stream whose width is that of the weight's inputs or outputs, or else the most
    common one.
    """
    own = network.outer_branch(weight)
    widths = network.once(_widths)
    if own is not None and own.index in widths:
        return widths[own.index]
    if not widths:
        return None
    common = network.once(_common)
    units = () if weight.unit_axis is None else (weight.shape[weight.unit_axis],)
    fitting = (int(extent) for extent in (weight.fan_in or 0, *units) if extent in common)
    return next(fitting, common.most_common(1)[0][0])


def _stacks(network: Network) -> Mapping[str, tuple[Branch, ...]]:
    """The outer branches by the list that their block lies in."""
    found: dict[str, list[Branch]] = {}
    for branch in network.anatomy.outer_branches:
        found.setdefault(_list(branch), []).append(branch)
    return {name: tuple(branches) for name, branches in found.items()}


def _layers(network: Network) -> Mapping[int, tuple[int, int]]:
    """For every outer branch which layer of its stack it is, and how many there are."""
    attending = {one.name for one in network.anatomy.weights if one.attention is not None and one.role != "bias"}
    found: dict[int, tuple[int, int]] = {}
    for stack in network.once(_stacks).values():
        forward = [branch for branch in stack if attending.isdisjoint(branch.weights)]
        others = [branch for branch in stack if not attending.isdisjoint(branch.weights)]
        layers = len(set(map(_sum, forward)))
        for kind in (forward, others):
            places = {place: order for order, place in enumerate(dict.fromkeys(map(_sum, kind)))}
            count = layers or len(places)
            found |= {branch.index: (places[_sum(branch)] * count // len(places) + 1, count) for branch in kind}
    return found


def _widths(network: Network) -> Mapping[int, int]:
    """For every outer branch how many units it adds."""
    known = {weight.name: weight for weight in network.anatomy.weights}
    widths = {}
    for branch in network.anatomy.outer_branches:
        tail = next((known[name] for name in branch.tails if name in known), None)
        if tail is not None and tail.unit_axis is not None:
            widths[branch.index] = tail.shape[tail.unit_axis]
    return widths


def _common(network: Network) -> Counter[int]:
    """How many outer branches add so many units."""
    return Counter(network.once(_widths).values())


def _list(branch: Branch) -> str:
    return ".".join(takewhile(lambda name: not name.isdigit(), branch.block.split(".")))


def _sum(branch: Branch) -> str | int:
    """Branches that are added in one place belong to one layer."""
    return branch.index if branch.join is None else branch.join
