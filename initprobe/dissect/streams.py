"""Which call sites follow one another, so that a gain per layer means something."""

from __future__ import annotations

from collections.abc import Mapping

from initprobe.dissect.flow import LINKS, is_shift
from initprobe.dissect.recurrences import find_recurrences
from initprobe.dissect.tape import Node
from initprobe.dissect.uses import Uses
from initprobe.records import Stream, StreamKind


def find_streams(
    nodes: list[Node],
    outputs: list[Node],
    skips: Mapping[Node, Node],
    keys: Mapping[Node, str],
    uses: Uses,
    branches: Mapping[Node, int],
) -> tuple[Stream, ...]:
    """All runs of two or more sites.

    Args:
        nodes: the tape's nodes, in order.
        outputs: those that the model puts out.
        skips: every residual join with its skip path.
        keys: the site that shows each node's value; nodes that no module put out have none.
        uses: the uses of parameters.
        branches: the innermost residual branch that each node lies in: a sum inside of one is not on the stream around.
    """
    weighted = [node for node in nodes if node.effect == "weighted"]  # embeddings are not among them
    heads = {weighted_at(output) for output in outputs}
    before = {join: _join_before(skip, skips) for join, skip in skips.items()}
    before = {
        join: found if found is not None and branches.get(found) == branches.get(join) else None
        for join, found in before.items()
    }
    layers = _chains(weighted, {node: weighted_at(node.signal) for node in weighted})
    joined = [run for run in _chains(list(skips), before) if len(run) > 1]
    steps = find_recurrences(nodes, uses, layers, joined)
    kinds: list[tuple[StreamKind, list[list[Node]]]] = [
        ("pre-activation", layers), ("residual", joined), ("recurrent", steps),
    ]  # fmt: skip
    streams = [
        Stream(kind, tuple(keys[node] for node in run if node in keys), kind == "pre-activation" and run[-1] in heads)
        for kind, runs in kinds
        for run in runs
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


def weighted_at(source: Node | None) -> Node | None:
    """The weight operation whose output, through activations, pooling and a bias, is this value."""
    while source is not None and source.effect != "weighted":
        if not is_shift(source) and source.effect not in LINKS:
            return None
        source = source.signal
    return source


def _join_before(skip: Node, joins: Mapping[Node, Node]) -> Node | None:
    """The residual join that the skip path comes from."""
    node: Node | None = skip
    while node is not None and node not in joins:
        if node.effect not in LINKS:
            return None
        node = node.signal
    return node
