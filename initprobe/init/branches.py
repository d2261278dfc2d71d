"""What schemes for residual networks ask of them: how many branches there are, what multiplies in one, what ends it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from initprobe.errors import UsageError
from initprobe.init.fans import UndrawableError
from initprobe.records import Branch, Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network

NO_PATH = "it scales no residual branch; match the parameter by its own name to draw it"
"""Why a gate that lies on a skip path, or anywhere else, is left alone."""

NO_END = "the normalization ends no residual branch; match the parameter by its own name to draw it"
"""Likewise of a normalization."""


def check_branches(network: Network, scheme: str) -> None:
    """Make sure that there is a residual branch.

    Raises:
        UsageError: there is none.
    """
    if not network.anatomy.branches:
        raise UsageError(
            f"{scheme} is about residual branches, and this network has none",
            hint="for a plain network take variance_scaling, orthogonal, or lsuv if there is data",
        )


def check_gates(network: Network, scheme: str, wanted: str) -> None:
    """Make sure that a parameter scales at least one residual branch.

    Args:
        network: to look at.
        scheme: name of the scheme that asks.
        wanted: what the paper adds to each branch, with its article.

    Raises:
        UsageError: there is no branch, or no such parameter.
    """
    check_branches(network, scheme)
    if not network.once(gates):
        raise UsageError(
            f"{scheme} sets {wanted} at the end of every residual branch, and no branch of this network has one",
            hint="multiply each branch by an nn.Parameter in the model, or start from zero with zero_init_residual",
        )


def block_count(network: Network) -> int:
    """How many functions are added to the residual streams: branches, those that hold other branches not counted."""
    holding = {branch.within for branch in network.anatomy.branches}
    return sum(branch.index not in holding for branch in network.anatomy.branches)


def level_count(network: Network, branch: Branch) -> int:
    """How many branches are added to the same stream as this one: those that lie in the same branch, or in none."""
    return network.once(_levels)[branch.within]


def _levels(network: Network) -> Counter[int | None]:
    """How many branches lie in each one, and in none."""
    return Counter(branch.within for branch in network.anatomy.branches)


def factor_count(network: Network, branch: Branch) -> int:
    """How many weights one value of a branch is multiplied with on its longest way, its tail included.

    Layers that run side by side count once (query, key and value), both factors of a gated unit count, since their
    product grows with both. What acts behind the tail (squeeze and excitation) does not count.
    """
    weights = [found for name in branch.weights if (found := record(network, name)) is not None]
    last = max((weight.depth or 0 for weight in weights if weight.name in branch.tails or weight.tail), default=0)
    steps: set[tuple[object, ...]] = set()
    for weight in weights:
        if (weight.depth or 0) > last or weight.branch != branch.index:
            continue
        place = "attended" if weight.attention in BESIDE else weight.depth
        paired = {part.name for part in weight.parts} == {"gate", "value"}
        steps |= {(place, side) for side in (("gate", "value") if paired else (weight.gated,))}
    return len(steps)


BESIDE = {"query", "key", "value", "query_key_value", "key_value", "query_key", "query_value"}
"""Projections of an attention: the value's is the one on the way, wherever the others come from."""


def record(network: Network, name: str) -> Weight | None:
    """The record of a weight by any of its names."""
    slot = network.slots.get(name)
    return network.once(_records).get(name) if slot is None else slot.weight


def _records(network: Network) -> Mapping[str, Weight]:
    """Every weight by all of its names."""
    return {name: weight for weight in network.anatomy.weights for name in (weight.name, *weight.aliases)}


def gates(network: Network) -> dict[str, Branch]:
    """The parameters that scale residual branches; one that scales several comes with the last of them."""
    return {
        branch.gate: branch
        for branch in network.anatomy.branches
        if branch.gate is not None and _gated(branch, network)
    }


def _gated(branch: Branch, network: Network) -> bool:
    """Whether a gate scales a branch, and not just the scale of a normalization that is written out."""
    known = None if branch.gate is None else record(network, branch.gate)
    return known is not None and known.role == "gate"


def gated_branch(weight: Weight, network: Network) -> Branch:
    """The branch that a gate scales.

    Raises:
        UndrawableError: it scales none.
    """
    found = network.once(gates)
    for name in (weight.name, *weight.aliases):
        if name in found:
            return found[name]
    raise UndrawableError(NO_PATH)


def ended_branch(weight: Weight, network: Network) -> Branch | None:
    """The branch at whose end a normalization stands, given its scale or its shift; None where it ends none."""
    names = {weight.name, *weight.aliases}
    slot = network.slots.get(weight.name)
    shift = slot is not None and slot.in_norm and not is_scale(weight, network)
    ends = network.once(_ends)
    found = (ends.get(name) for name in names)
    return next((branch for branch in found if branch is not None), ends.get(f"{weight.module}.") if shift else None)


def _ends(network: Network) -> Mapping[str, Branch]:
    """The first branch that each normalization ends, by the name of its scale, and by its module with a dot behind."""
    ended = [branch for branch in reversed(network.anatomy.branches) if branch.norm is not None]
    names = {str(branch.norm): branch for branch in ended}
    return names | {name.rpartition(".")[0] + ".": branch for name, branch in names.items()}


def is_scale(weight: Weight, network: Network) -> bool:
    """Whether a parameter of a normalization is its scale, not its shift."""
    known = record(network, weight.name)
    return known is not None and known.role == "norm"


def silent_scale(weight: Weight, network: Network) -> float:
    """What a normalization's scale is where it lets nothing pass: zero, or -1 where the layer adds one to it (Gemma's).

    A copy of a layer that is not torch's is tried out on random numbers; what cannot be tried counts as the first kind.
    """
    import torch

    slot = network.slots.get(weight.name)
    if slot is None or type(slot.module).__module__.startswith("torch."):
        return 0.0
    numbers = network.variates("@scale").normal((2, math.prod(weight.shape)))
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        try:
            layer: Any = deepcopy(slot.module).to("cpu", torch.float32)
            for other in layer.parameters():
                other.zero_()
            silent = {}
            for value in (0.0, -1.0):
                layer.get_parameter(slot.tensor).fill_(value)
                silent[value] = not layer.forward(numbers).any()
        except Exception:  # noqa: BLE001 - a layer is anybody's code
            return 0.0
    return -1.0 if silent[-1.0] and not silent[0.0] else 0.0


def silent(weight: Weight, network: Network) -> float:
    """What the scale or the shift of a normalization is where it lets nothing pass.

    Raises:
        UndrawableError: the normalization ends no branch.
    """
    if ended_branch(weight, network) is None:
        raise UndrawableError(NO_END)
    return silent_scale(weight, network) if is_scale(weight, network) else 0.0


def missing_gates(network: Network, what: str) -> Sequence[str]:
    """What to tell of branches that no parameter scales."""
    bare = [branch for branch in network.anatomy.branches if not _gated(branch, network)]
    if not bare:
        return ()
    total = len(network.anatomy.branches)
    first = bare[0].block or "the model"
    return (f"{len(bare)} of {total} residual branches have no {what}, which no initialization adds (first: {first})",)


def normalizations_told(network: Network) -> Sequence[str]:
    """What to tell of a network with normalizations, for schemes that are there to do without."""
    count = sum(slot.in_norm and slot.weight.role == "norm" for slot in network.slots.values())
    if not count:
        return ()
    return (f"the scheme replaces normalization, and this network has {count}: they stay, and undo its scales",)
