"""Choosing some of the values: slices, one position of many, parts of a packed projection."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.moments import Gradient, Moments, pooled_gradient


@law
class Choosing(Law):
    """Indexing, slicing and splitting."""

    crosses = True
    names = (
        "__getitem__", "getitem", "narrow", "select", "index_select", "chunk", "split", "unbind", "tensor_split",
        "slice",
    )  # fmt: skip

    def forward(self, call: Call) -> Moments:
        """Those of what was given; of one kind of positions where one is chosen."""
        known = call.moments(call.step.args[0])
        taken = _taken(call)
        if taken is not None and taken[0] == 0:
            return known.part(taken[1])
        if not known.kinds or self._keeps(call):
            return known
        return self._kind(call, known)

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """Back to where each value came from; those left out get nothing."""
        source = call.step.sources[0]
        share = call.share(source)
        known = call.states.get(source)
        if known is None or not known.kinds or self._keeps(call):
            back = gradient.scaled(share, self._reach(call))
            return {source: replace(back, kinds=gradient.kinds, parts=_parts(call, gradient, back.second))}
        chosen = self._kind(call, known)
        parts = [(part, kind) for part, kind in known.kinds]
        backs = [
            (part, gradient.scaled(share / part, min(1.0, share / part)) if kind is chosen else Gradient(0.0))
            for part, kind in parts
        ]
        return {source: pooled_gradient(backs)}

    def _reach(self, call: Call) -> float:
        """How many pairs of positions are left, for each position that is: all of them where units are chosen."""
        source = call.step.sources[0]
        before, behind = call.shapes[source], call.step.shape
        units = call.facts.units.get(source, before[-1])
        changed = [one for one, other in zip(before, behind, strict=False) if one != other]
        if len(before) == len(behind) and set(changed) <= {units}:
            return 1.0
        if before[0] != call.facts.traced:  # parts of a packed projection, in front of the samples
            return 1.0
        places = math.prod(before) / (call.facts.traced * units)
        left = places * call.share(source)
        return max(0.0, left - 1.0) / (places - 1.0) if places > 1.0 else 1.0

    def _keeps(self, call: Call) -> bool:
        """Whether all positions are still there: they are the second axis of (samples, positions, units)."""
        before, behind = call.shapes[call.step.sources[0]], call.step.shape
        return len(before) != 3 or (len(behind) == 3 and before[1] == behind[1])

    def _kind(self, call: Call, known: Moments) -> Moments:
        """The kind that is chosen: that of the first position where one position is left, else the largest."""
        before, behind = call.shapes[call.step.sources[0]], call.step.shape
        size = 1.0 / max(1, before[1])
        left = call.share(call.step.sources[0])
        rare = [kind for part, kind in known.kinds if abs(part - size) < 1e-9]
        if rare and abs(left - size) < 1e-9 and len(behind) <= len(before):
            return rare[0]
        return max(known.kinds, key=lambda kind: kind[0])[1]


def _parts(call: Call, gradient: Gradient, second: float) -> tuple[tuple[int, int, float], ...]:
    """Where one index of an axis was taken, all of the gradient lies there; a cut along the last axis moves nothing."""
    shape, taken = call.shapes[call.step.sources[0]], _taken(call)
    if taken is not None:
        return ((*taken, second),)
    if len(shape) == len(call.step.shape) and shape[:-1] == call.step.shape[:-1] and gradient.second > 0.0:
        return tuple((axis, index, part * second / gradient.second) for axis, index, part in gradient.parts)
    return ()


def _taken(call: Call) -> tuple[int, int] | None:
    """The axis of which one index is taken, and that index."""
    if call.step.name != "getitem" or len(call.step.args) < 2:
        return None
    shape, chosen = call.shapes[call.step.sources[0]], call.step.args[1]
    indices = chosen if isinstance(chosen, tuple) else (chosen,)
    taken = [(axis, index) for axis, index in enumerate(indices) if type(index) is int]
    if len(taken) != 1 or (*shape[: taken[0][0]], *shape[taken[0][0] + 1 :]) != call.step.shape:
        return None
    return taken[0]
