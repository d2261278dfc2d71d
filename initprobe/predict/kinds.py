"""Laws for signals whose positions are of different kinds: a class token among patches.

A law that treats every position by itself holds for each kind apart. What a law that crosses positions makes is alike
everywhere, unless it tells kinds itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from initprobe.predict.laws.base import Call, Law
from initprobe.predict.moments import Gradient, Moments, pooled, pooled_gradient


def forward(law: Law, call: Call) -> Moments:
    """The moments of the value, kind by kind where its sources have some; raises what the law raises."""
    parts = _parts(call, None)
    if law.crosses or not parts:
        return law.forward(call)
    found = [(part, law.forward(_of_kind(call, parts, kind))) for kind, part in enumerate(parts)]
    return pooled(found)


def backward(law: Law, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
    """What each source gets, kind by kind where the value or its gradient has some; raises what the law raises."""
    parts = _parts(call, gradient)
    if law.crosses or not parts:
        return law.backward(call, gradient)
    given: dict[int, list[tuple[float, Gradient]]] = {}
    for kind, part in enumerate(parts):
        own = gradient.kinds[kind][1] if len(gradient.kinds) == len(parts) else replace(gradient, kinds=())
        for source, back in law.backward(_of_kind(call, parts, kind), own).items():
            given.setdefault(source, []).append((part, back))
    return {source: pooled_gradient(backs) for source, backs in given.items()}


def _parts(call: Call, gradient: Gradient | None) -> tuple[float, ...]:
    """The part of all positions that each kind has; empty where all are alike."""
    known = [call.states[source].kinds for source in call.step.sources if source in call.states]
    kinds = [tuple(part for part, _ in one) for one in known if one]
    if gradient is not None and gradient.kinds:
        kinds.append(tuple(part for part, _ in gradient.kinds))
    return kinds[0] if kinds and all(one == kinds[0] for one in kinds) else ()


def _of_kind(call: Call, parts: tuple[float, ...], kind: int) -> Call:
    """The call at positions of one kind."""
    states: dict[int, Moments] = {}
    for source in call.step.sources:
        state = call.states.get(source)
        if state is not None:
            states[source] = state.kinds[kind][1] if len(state.kinds) == len(parts) else replace(state, kinds=())
    return replace(call, states=states)
