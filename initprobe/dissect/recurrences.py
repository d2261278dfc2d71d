"""Recurrences: the calls of one cell, or of one weight on a hidden state, in the order of time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from initprobe.dissect.flow import Ancestry, between
from initprobe.dissect.fused import recurrent_kind
from initprobe.dissect.tape import Node
from initprobe.dissect.uses import Uses, multiplying
from initprobe.operations import ATTENTIONS


def find_recurrences(
    nodes: list[Node], uses: Uses, layers: Sequence[Sequence[Node]], joined: Sequence[Sequence[Node]]
) -> list[list[Node]]:
    """Runs of two or more steps, each made from the one before; one run for every recurrence.

    A step is a call of one of torch's recurrent functions, of whose outputs the last stands for it (the memory of an
    LSTM, through which a gradient comes back unbroken), or a product with one and the same weight. A normalization,
    attention or a lookup on every way between two steps ends a run.

    Args:
        nodes: the tape's nodes, in order.
        uses: the uses of parameters.
        layers: weight operations that follow one another. A weight that is met again along one of these runs is
            shared over depth, and is no recurrence.
        joined: residual joins that follow one another; what goes over one of them is that stream's.
    """
    runs = [run for calls in _calls(nodes, uses).values() for run in _runs(calls)]
    found = [run for run in runs if not _is_depth(run, layers, joined)]
    found.sort(key=lambda run: (_is_product(run[0]), -len(run), run[0].order))
    return _apart(found)


def _calls(nodes: list[Node], uses: Uses) -> dict[str, dict[Node, Node]]:
    """By the weight on the hidden state: every value of a call, in order, and the one that stands for the call."""
    calls: dict[str, dict[Node, Node]] = {}
    outputs: list[Node] = []
    for node, following in zip(nodes, [*nodes[1:], None], strict=True):
        outputs.append(node)
        if following is not None and following.place == node.place + 1 and following.inputs == node.inputs:
            continue
        weight = _weight(node, uses)
        if weight is not None:
            calls.setdefault(weight, {}).update(dict.fromkeys(outputs, node))
        outputs = []
    return calls


def _weight(node: Node, uses: Uses) -> str | None:
    """The name of the weight that a recurrence would share over time."""
    if node.operand is not None or node.fixed:
        return None
    if _is_product(node):
        return next((use.parameter for use in multiplying(uses, node)), None)
    return next((use.parameter for use in multiplying(uses, node) if use.recurrent == "hidden"), None)


def _is_product(node: Node) -> bool:
    return recurrent_kind(node.name) is None and node.effect == "weighted"


def _runs(calls: Mapping[Node, Node]) -> Iterator[list[Node]]:
    """Calls of one weight that follow from one another.

    Each is looked for among the last two before it, for two sequences may take turns; further back lies every other
    step of a layer that is called at each one but is part of no recurrence.
    """
    steps = list(dict.fromkeys(calls.values()))
    ends: dict[Node, list[Node]] = {}
    for place, step in enumerate(steps):
        since = steps[max(0, place - 2)].order
        previous = _before(step, calls, since)
        earlier = ends.pop(previous, []) if previous is not None else []
        ends[step] = [*earlier, step]
    yield from (run for run in ends.values() if len(run) > 1)


def _before(step: Node, calls: Mapping[Node, Node], since: int) -> Node | None:
    """The latest call that a step is made from, past nothing that resets a signal or cuts its gradient."""
    queue, seen = list(step.signals), set[Node]()
    found: Node | None = None
    while queue:
        node = queue.pop()
        if node in seen:
            continue
        seen.add(node)
        call = calls.get(node)
        if call is not None:
            found = call if found is None or call.order > found.order else found
        elif node.order >= since and node.effect not in {"norm", "embedding"} and node.name not in ATTENTIONS:
            queue += node.signals
    return found


def _is_depth(steps: list[Node], layers: Sequence[Sequence[Node]], joined: Sequence[Sequence[Node]]) -> bool:
    """Whether a run of another kind leads from one step to the next."""
    run_of = {node: place for place, run in enumerate(layers) for node in run}
    joins = {node for run in joined for node in run}
    return any(
        (before in run_of and run_of[before] == run_of.get(step)) or not joins.isdisjoint(between(before, step))
        for before, step in pairwise(steps)
    )


def _apart(runs: list[list[Node]]) -> list[list[Node]]:
    """One run for every recurrence: of two that each have a part in the other (gates of one cell), the first."""
    kept: list[tuple[list[Node], Ancestry]] = []
    for run in runs:
        behind = Ancestry(run[-1])
        if not any(behind.holds(other[0]) and known.holds(run[0]) for other, known in kept):
            kept.append((run, behind))
    return [run for run, _ in kept]
