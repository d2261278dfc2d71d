"""Gated linear units: elementwise products of two signals, one of which went through an activation."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from initprobe.dissect.parts import Units, halves, units_reaching
from initprobe.dissect.tape import Node
from initprobe.dissect.uses import Uses, multiplying
from initprobe.operations import MIXING, MULTIPLYING, short_name

Factor = Literal["gate", "value"]
_BOUNDED = {"sigmoid", "hardsigmoid", "softmax"}
"""Activations that gate: of two factors behind activations, the one behind such a one is the gate."""


@dataclass(frozen=True, slots=True)
class Gated:
    """Outputs of a weight that are a factor of a product.

    Attributes:
        node: the weight's operation.
        factor: which one.
        units: the outputs.
    """

    node: Node
    factor: Factor
    units: Units


def find_gated(nodes: list[Node], joins: Collection[Node], uses: Uses) -> Iterator[Gated]:
    """Every weight whose output is multiplied with another signal, one of the two behind an activation."""
    for node in nodes:
        if short_name(node.name) == "glu":
            yield from _torch_glu(node, joins, uses)
        elif _is_product(node):
            yield from _product(node, joins, uses)


def _torch_glu(node: Node, joins: Collection[Node], uses: Uses) -> Iterator[Gated]:
    source = node.signal
    behind = None if source is None else _weights_behind(source, joins, uses)
    dim = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else -1)
    if source is None or behind is None or len(behind) != 1 or not isinstance(dim, int):
        return
    (weight,) = behind
    axis = output_axis(weight, uses)
    if axis is not None:
        value, gate = halves(weight, axis, source, dim)
        yield from (Gated(weight, "value", value), Gated(weight, "gate", gate)) if value and gate else ()


def _product(node: Node, joins: Collection[Node], uses: Uses) -> Iterator[Gated]:
    left, right = node.signals
    if node.shape not in {left.shape, right.shape}:
        return  # an outer product
    found_behind = [_weights_behind(side, joins, uses) for side in (left, right)]
    behind = [side for side in found_behind if side is not None]
    if len(behind) < 2:
        return
    gating = [{name for name in side.values() if name is not None} for side in behind]
    if all(gating):
        gating = [side & _BOUNDED for side in gating]
    if bool(gating[0]) == bool(gating[1]):
        return
    factors: tuple[Factor, Factor] = ("gate", "value") if gating[0] else ("value", "gate")
    found = []
    for factor, side, weights in zip(factors, (left, right), behind, strict=True):
        if len(weights) == 1:
            (weight,) = weights
            axis = output_axis(weight, uses)
            units = frozenset[int]() if axis is None else units_reaching(weight, axis, side)
            found.append(Gated(weight, factor, units))
    if len(found) == 2 and found[0].node is found[1].node and (found[0].units & found[1].units or not found[0].units):
        return  # it gates itself: x · σ(x), or a mask in its shape
    yield from found


def _weights_behind(source: Node, joins: Collection[Node], uses: Uses) -> dict[Node, str | None] | None:
    """The nearest weight operations behind a factor, with the last activation in between; None behind a product."""
    queue: list[tuple[Node, str | None]] = [(source, None)]
    seen = {source}
    found: dict[Node, str | None] = {}
    while queue:
        node, activation = queue.pop()
        if multiplying(uses, node):
            found[node] = activation
        elif _is_product(node):
            return None
        elif _is_passed(node) and node not in joins:
            if activation is None and node.activation is not None:
                activation = node.activation.name
            fresh = [one for one in node.signals if one not in seen]
            seen.update(fresh)
            queue.extend((one, activation) for one in fresh)
    return found


def _is_passed(node: Node) -> bool:
    """Whether a factor may have gone through this: anything but a sum of signals, or one over products of signals."""
    return len(node.signals) < 2 or (short_name(node.name) not in MIXING and node.effect != "sum")


def _is_product(node: Node) -> bool:
    return short_name(node.name) in MULTIPLYING and node.effect == "other" and len(node.signals) == 2


def output_axis(node: Node, uses: Uses) -> int | None:
    """The axis of a weight operation's value that counts its outputs."""
    return next((use.output_axis for use in multiplying(uses, node)), None)
