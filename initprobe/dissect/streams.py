"""Which call sites follow one another, so that a gain per layer means something."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from functools import reduce
from operator import or_

from initprobe.dissect.tape import Node
from initprobe.records import Stream

_LINKS = ("view", "pass", "activation", "scale")


def find_streams(
    nodes: list[Node], outputs: list[Node], skips: Mapping[Node, Node], keys: Mapping[Node, str]
) -> tuple[Stream, ...]:
    """All runs of two or more sites.

    Args:
        nodes: the tape's nodes, in order.
        outputs: those that the model puts out.
        skips: what ``find_joins`` found.
        keys: the site that shows each node's value; nodes that no module put out have none.
    """
    weighted = [node for node in nodes if node.effect == "weighted"]  # embeddings are not among them
    heads = {_weighted_at(output) for output in outputs}
    streams = [
        Stream("pre-activation", tuple(keys[node] for node in chain if node in keys), ends_model=chain[-1] in heads)
        for chain in _chains(weighted, {node: _weighted_at(node.signal) for node in weighted})
    ]
    before = {join: _join_before(skip, skips) for join, skip in skips.items()}
    streams += [
        Stream("residual", tuple(keys[node] for node in chain if node in keys))
        for chain in _chains(list(skips), before)
    ]
    return tuple(stream for stream in streams if len(stream.sites) > 1)


def _chains(nodes: list[Node], before: Mapping[Node, Node | None]) -> list[list[Node]]:
    """Paths along ``before``; where one value feeds several, the first goes on and the others begin anew."""
    ends: dict[Node, list[Node]] = {}
    chains: list[list[Node]] = []
    for node in nodes:
        previous = before[node]
        chain = ends.pop(previous, None) if previous is not None else None
        if chain is None:
            chain = []
            chains.append(chain)
        chain.append(node)
        ends[node] = chain
    return chains


def _weighted_at(source: Node | None) -> Node | None:
    """The weight operation whose output, through activations, pooling and a bias, is this value."""
    while source is not None and source.effect != "weighted":
        shifted = source.effect == "sum" and len(source.signals) == 1
        if not shifted and source.effect not in _LINKS:
            return None
        source = source.signal
    return source


def find_joins(nodes: list[Node]) -> dict[Node, Node]:
    """Every residual join, in order, with its skip path."""
    origins: dict[Node, int] = {}
    joins = {}
    for node in nodes:
        if node.operand is not None or node.fixed:
            continue
        sources = [origins.get(source, 0) for source in node.inputs]
        # One bit for each value that nothing was made into, so that what has nothing in common is seen at once.
        origins[node] = reduce(or_, sources, 0) or 1 << len(origins)
        if node.effect == "sum" and len(sources) == 2 and sources[0] & sources[1]:
            skip = skip_of(node)
            if skip is not None:
                joins[node] = skip
    return joins


def skip_of(join: Node) -> Node | None:
    """The operand of a sum that the other operand was made from: the skip path of a residual join.

    None where the sum is no residual join: its operands have nothing in common (token plus position embedding), or
    both were transformed on the way (a projection shortcut), which starts a stream of its own at this join.
    """
    operands = join.signals
    if len(operands) != 2 or operands[0] is operands[1]:
        return None
    meeting = _nearest_common(operands[0], operands[1])
    if meeting is None:
        return None
    for operand in operands:
        node: Node | None = operand
        while node is not None and node is not meeting and node.effect in _LINKS:
            node = node.signal
        if node is meeting:
            return operand
    return join


def _nearest_common(left: Node, right: Node) -> Node | None:
    """The latest value that both operands were made from."""
    reached = {left: 1, right: 2}
    queue = [(-left.order, left.order, left), (-right.order, right.order, right)]
    heapq.heapify(queue)
    while queue:
        *_, node = heapq.heappop(queue)
        sides = reached[node]
        if sides == 3:
            return node
        for source in node.inputs:
            if source.operand is not None or source.fixed:
                continue
            if source not in reached:
                heapq.heappush(queue, (-source.order, source.order, source))
            reached[source] = reached.get(source, 0) | sides
    return None


def _join_before(skip: Node, joins: Mapping[Node, Node]) -> Node | None:
    """The residual join that the skip path comes from."""
    node: Node | None = skip
    while node is not None and node not in joins:
        if node.effect not in _LINKS:
            return None
        node = node.signal
    return node
