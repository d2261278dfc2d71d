"""How deep in the network a value lies, and which weights make its output."""

from __future__ import annotations

from collections.abc import Iterable

from initprobe.dissect.streams import weighted_at
from initprobe.dissect.tape import Node
from initprobe.dissect.uses import Uses, multiplying


def find_depths(nodes: list[Node], uses: Uses) -> dict[Node, int]:
    """The number of weight operations on the longest way to every value, before its own operation."""
    before: dict[Node, int] = {}
    behind: dict[Node, int] = {}
    for node in nodes:
        before[node] = max((behind[source] for source in node.signals), default=0)
        stages = [use.stage + 1 for use in multiplying(uses, node)]
        behind[node] = before[node] + max(stages, default=0)
    return before


def find_heads(nodes: list[Node], outputs: Iterable[Node], uses: Uses) -> set[Node]:
    """The weight operations that the model's outputs come from and no other weight operation does."""
    feeding: set[Node] = set()
    for node in reversed(nodes):
        if any(one in feeding or multiplying(uses, one) for one in node.consumers):
            feeding.add(node)
    found = {weighted_at(output) for output in outputs}
    return {node for node in found if node is not None and node not in feeding}
