"""Residual joins: sums of a value and of what was made from it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_

from initprobe.dissect.flow import LINKS, Ancestry, between, is_shift
from initprobe.dissect.tape import Node
from initprobe.records import Skip


@dataclass(frozen=True, slots=True)
class Join:
    """A sum x + f(x), or p(x) + f(x) with a projection p.

    Attributes:
        node: the sum.
        skip: its operand that the skip path leads to; the sum itself behind a projection, which starts a new stream.
        branch: its other operand.
        start: x, where the skip path and the branch part.
        kind: what the skip path does.
        around: the values along the skip path, from its operand back to x.
    """

    node: Node
    skip: Node
    branch: Node
    start: Node
    kind: Skip
    around: tuple[Node, ...]


def find_joins(nodes: list[Node], apart: Collection[Node] = frozenset()) -> dict[Node, Join]:
    """Every residual join, in order.

    A sum is none where its operands have nothing in common (token plus position embedding), where both were
    transformed alike (two layers side by side), or where neither a weight nor a normalization lies between them.

    Args:
        nodes: the tape's nodes, in order.
        apart: sums that are none, whatever they look like: biases on the scores of an attention.
    """
    origins: dict[Node, int] = {}
    joins: dict[Node, Join] = {}
    for node in nodes:
        if node.operand is not None or node.fixed:
            continue
        # One bit for each value that nothing was made into, so that what has nothing in common is seen at once.
        origins[node] = reduce(or_, (origins.get(source, 0) for source in node.inputs), 0) or 1 << len(origins)
        signals = node.signals
        if node.effect != "sum" or len(signals) != 2 or signals[0] is signals[1] or node in apart:
            continue
        if origins[signals[0]] & origins[signals[1]]:
            join = _join(node, joins)
            if join is not None:
                joins[node] = join
                _merge(join, joins)
    return joins


def sum_behind(node: Node) -> Node | None:
    """The sum of two signals that a value is, moved or scaled; None where it is none."""
    one: Node | None = node
    while one is not None and (len(one.signals) < 2 or one.effect != "sum"):
        one = one.signal if is_shift(one) or one.effect in {"view", "pass", "scale"} else None
    return one


def _merge(join: Join, joins: dict[Node, Join]) -> None:
    """What looked like a projection and its branch are two branches where their sum is added to a stream."""
    inner = sum_behind(join.branch)
    if join.kind != "projection" and inner in joins and joins[inner].kind == "projection":
        del joins[inner]


def _join(node: Node, joins: Mapping[Node, Join]) -> Join | None:
    left, right = node.signals
    for skip, branch in ((left, right), (right, left)):
        around = _around(skip, branch, joins)
        if around is not None and _transforms(between(around[-1], branch)):
            scaled = any(one.effect == "scale" for one in around[:-1])
            return Join(node, skip, branch, around[-1], "scaled" if scaled else "identity", around)
    found = [
        join
        for skip, branch in ((left, right), (right, left))
        if (join := _projected(node, skip, branch, joins)) is not None
    ]
    return found[0] if len(found) == 1 else None


def _projected(node: Node, skip: Node, branch: Node, joins: Mapping[Node, Join]) -> Join | None:
    """The join with a projection on the skip path: fewer weights than on the branch, and no recurrence's."""
    around = _around(skip, branch, joins, weights=1)
    if around is None:
        return None
    projections = [one for one in around[:-1] if one.effect == "weighted"]
    if any(_is_reused(one) for one in projections):
        return None
    beside = [one for one in between(around[-1], branch)[1:] if one.effect == "weighted"]
    if len(beside) <= len(projections):
        return None
    return Join(node, node, branch, around[-1], "projection", around)


def _around(skip: Node, branch: Node, joins: Mapping[Node, Join], weights: int = 0) -> tuple[Node, ...] | None:
    """The way from one operand back to the first value that the other was made from; None where there is none.

    It leads through links and earlier joins, and for a projection through that many weights, and normalizations.
    """
    ancestry, path = Ancestry(branch), list[Node]()
    for node in _back(skip, joins, weights):
        path.append(node)
        if ancestry.holds(node):
            return tuple(path)
    return None


def _back(node: Node | None, joins: Mapping[Node, Join], weights: int) -> Iterator[Node]:
    projecting = weights > 0
    while node is not None:
        yield node
        if node in joins:
            node = joins[node].skip if joins[node].skip is not node else None
        elif node.effect == "weighted" and weights:
            weights, node = weights - 1, node.signal
        elif projecting and node.activation is not None:
            return
        elif node.effect in LINKS or is_shift(node) or (projecting and node.effect == "norm"):
            node = node.signal
        else:
            return


def _transforms(way: list[Node]) -> bool:
    """Whether a weight, a normalization or an unknown operation with a parameter lies on a way.

    Without one it is no branch but a formula: the polynomial inside a gelu, a rotation, a step of a scan.
    """
    return any(
        node.effect in {"weighted", "norm"}
        or (node.effect == "other" and any(source.operand is not None for source in node.inputs))
        for node in way[1:]
    )


def _is_reused(product: Node) -> bool:
    """Whether a product's weight is used again elsewhere, as in every step of a recurrence."""
    weight = next((source for source in product.inputs if source.operand is not None), None)
    while weight is not None and len(_users(weight)) == 1 and weight.name != "parameter":
        weight = next((source for source in weight.inputs if source.operand is not None), None)
    return weight is not None and len(_users(weight)) > 1


def _users(weight: Node) -> list[Node]:
    """The operations that use its values; ``x.reshape_as(weight)`` asks for no more than its shape."""
    return [one for one in weight.consumers if one.effect != "view" or one.inputs[0] is weight]
