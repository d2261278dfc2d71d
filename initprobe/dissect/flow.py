"""Ways along the tape, from a value back to what it was made from."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

from initprobe.dissect.tape import Node

LINKS = ("view", "pass", "activation", "scale")
"""Effects of operations that a signal passes one number at a time, or moved, or averaged."""


def is_shift(node: Node) -> bool:
    """Whether it adds what is no signal: a bias, a table of positions."""
    return node.effect == "sum" and len(node.signals) == 1


def stop_at(start: Iterable[Node], ends: Callable[[Node], bool], passes: Callable[[Node], bool]) -> list[Node]:
    """The nearest values of a kind behind some values, in order, on all ways that lead through what ``passes``."""
    queue = list(start)
    seen = set(queue)
    found = []
    while queue:
        node = queue.pop()
        if ends(node):
            found.append(node)
        elif passes(node):
            fresh = [source for source in node.signals if source not in seen]
            seen.update(fresh)
            queue.extend(fresh)
    return sorted(found, key=lambda node: node.order)


def between(start: Node, end: Node) -> list[Node]:
    """Every value that ``start`` had a part in and that had a part in ``end``, both left and right included, in order.

    Empty where ``end`` was not made from ``start``.
    """
    behind, queue = {end}, [end]
    while queue:
        node = queue.pop()
        for source in node.signals:
            if source.order >= start.order and source not in behind:
                behind.add(source)
                queue.append(source)
    reached = {start} & behind
    for node in sorted(behind, key=lambda node: node.order):
        if any(source in reached for source in node.signals):
            reached.add(node)
    return sorted(reached, key=lambda node: node.order) if end in reached else []


class Ancestry:
    """Everything that one value was made from, found as far back as somebody asks."""

    def __init__(self, node: Node) -> None:
        self._known = {node}
        self._open = [(-node.order, node.order, node)]

    def holds(self, node: Node) -> bool:
        """Whether the value itself is ``node`` or was made from it."""
        while self._open and self._open[0][2].order > node.order:
            *_, latest = heapq.heappop(self._open)
            for source in latest.signals:
                if source not in self._known:
                    self._known.add(source)
                    heapq.heappush(self._open, (-source.order, source.order, source))
        return node in self._known
