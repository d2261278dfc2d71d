"""Where every weight stands in the network: its attention, its branch, its depth, what is packed into it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from initprobe.dissect.attention import Mixing, find_projections
from initprobe.dissect.branches import Branches
from initprobe.dissect.depth import find_depths, find_heads
from initprobe.dissect.gated import find_gated, output_axis
from initprobe.dissect.joins import Join
from initprobe.dissect.parts import Units, all_units, ranges_of, units_reaching
from initprobe.dissect.tape import Node
from initprobe.dissect.untraced import like_siblings
from initprobe.dissect.uses import Use, Uses, multiplying
from initprobe.dissect.weights import CELLS, first_uses
from initprobe.records import MULTIPLYING_ROLES, Attention, Part, Weight


@dataclass(frozen=True, slots=True)
class Cut:
    """What an operation's outputs are for, by name, and which outputs those are."""

    names: tuple[str, ...]
    units: tuple[Units, ...]


def place_weights(
    weights: Sequence[Weight],
    nodes: list[Node],
    uses: Uses,
    branches: Branches,
    marks: Mapping[Node, dict[str, Any]],
    outputs: Iterable[Node],
) -> tuple[Weight, ...]:
    """The weights with everything that the operation around them does not tell.

    Args:
        weights: as their operations tell of them.
        nodes: the tape's nodes, in order.
        uses: parameters by the node that uses them.
        branches: what ``find_branches`` found.
        marks: what ``find_marks`` found.
        outputs: nodes that the model puts out.
    """
    depths, heads = find_depths(nodes, uses), find_heads(nodes, outputs, uses)
    known = first_uses(uses)
    ends = {use.parameter for node in heads for use in multiplying(uses, node)}
    placed = []
    for weight in weights:
        use = known.get(weight.name)
        if use is None:
            placed.append(weight)
            continue
        own = use.stage + 1 if multiplying(uses, use.node) else 0
        found = replace(
            weight,
            role="gate" if weight.role == "other" and weight.name in branches.gates else weight.role,
            branch=branches.of.get(use.node),
            tail=weight.name in branches.tails,
            head=weight.name in ends,
            depth=depths[use.node] + own,
        )
        placed.append(_per_gate(_marked(found, use, marks.get(use.node, {})), use))
    return like_siblings(placed)


def _per_gate(weight: Weight, use: Use) -> Weight:
    """The fans of one gate, where a cell that is written by hand holds all of them side by side.

    What its gates are multiplied with makes them look like halves of a gated linear unit.
    """
    gates = CELLS.get(weight.module_type, 1)
    if weight.role != "recurrent" or use.role != "linear" or weight.unit_axis is None:
        return weight
    rows = weight.shape[weight.unit_axis]
    if weight.fan_out is None or rows % gates:
        return weight
    return replace(weight, parts=(), gated=None, fan_out=rows / gates)


def _marked(weight: Weight, use: Use, marks: dict[str, Any]) -> Weight:
    """A weight with the marks of its operation; its bias shares them, cut along its own axis."""
    if use.role not in {*MULTIPLYING_ROLES, "bias"} or not marks or use.inside is not None:
        return weight
    found = replace(weight, attention=marks.get("attention", weight.attention))
    if use.role != "bias":
        found = replace(found, gated=marks.get("gated"))
    cut: Cut | None = marks.get("cut")
    axis = weight.unit_axis if use.role != "bias" else 0 if len(weight.shape) == 1 else None
    if cut is None or axis is None or weight.shape[axis] <= max(map(max, cut.units)):
        return found
    parts = [_part(name, units, axis, weight) for name, units in zip(cut.names, cut.units, strict=True)]
    parts.sort(key=lambda part: part.ranges)
    fan_out = max((part.fan_out for part in parts if part.fan_out is not None), default=weight.fan_out)
    return replace(found, parts=tuple(parts), fan_out=fan_out)


def _part(name: str, units: Units, axis: int, weight: Weight) -> Part:
    share = len(units) / weight.shape[axis]
    fan_out = None if weight.fan_out is None else weight.fan_out * share
    if weight.role == "bias":
        return Part(name, axis, ranges_of(units))
    return Part(name, axis, ranges_of(units), weight.fan_in, fan_out)


def find_marks(
    nodes: list[Node], attentions: list[Mixing], joins: Mapping[Node, Join], uses: Uses
) -> dict[Node, dict[str, Any]]:
    """For the nodes of weights: their attention, whether they are gated, and how their outputs are cut."""
    marks: dict[Node, dict[str, Any]] = {}
    projections = find_projections(attentions, joins, uses)
    for node in projections.outs:
        marks.setdefault(node, {})["attention"] = "out"
    for node, operands in projections.operands.items():
        marks.setdefault(node, {}).update(_attention_marks(node, operands, uses))
    gated: dict[Node, dict[str, Units]] = {}
    for found in find_gated(nodes, joins, uses):
        gated.setdefault(found.node, {}).setdefault(found.factor, found.units)
    for node, factors in gated.items():
        marks[node] = {**_gated_marks(node, factors, uses), **marks.get(node, {})}
    return marks


def _attention_marks(node: Node, operands: list[tuple[str, Node]], uses: Uses) -> dict[str, Any]:
    names = [name for name in ("query", "key", "value") if any(name == one for one, _ in operands)]
    label = "_".join(names)
    marks: dict[str, Any] = {"attention": label} if label in get_args(Attention) else {}
    axis = output_axis(node, uses)
    if len(names) > 1 and axis is not None:
        units = [
            frozenset[int]().union(*(units_reaching(node, axis, end) for one, end in operands if one == name))
            for name in names
        ]
        marks |= _cut(tuple(names), tuple(units))
    return marks


def _gated_marks(node: Node, factors: dict[str, Units], uses: Uses) -> dict[str, Any]:
    axis = output_axis(node, uses)
    everything = frozenset[int]() if axis is None else all_units(node, axis)
    if len(factors) == 1:
        ((name, units),) = factors.items()
        if name == "value" or units == everything or not units:
            return {"gated": name}
        factors = {"gate": units, "value": everything - units}
    return _cut(tuple(factors), tuple(factors.values()))


def _cut(names: tuple[str, ...], units: tuple[Units, ...]) -> dict[str, Any]:
    """The cut, if every part has outputs of its own."""
    disjoint = len(frozenset[int]().union(*units)) == sum(map(len, units))
    return {"cut": Cut(names, units)} if disjoint and all(units) else {}
