"""Which values follow one another across normalizations, read off the flow of the traced pass.

A stream ends at a normalization, for that resets the scale and no gain leads across it. What a normalization does not
reset, the gradient and how alike two inputs are, goes on behind it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from initprobe.records import Anatomy, Flow, Step

LINKS = frozenset(["view", "pass", "activation", "scale"])
"""Effects of operations that a signal passes one number at a time, or moved, or averaged."""

PRODUCTS = frozenset(["mul", "multiply", "mul_", "multiply_"])
"""Elementwise products."""


def weighted_chains(anatomy: Anatomy, *, alone: bool = False) -> tuple[tuple[str, ...], ...]:
    """Sites of weighted operations, each made from the one before, normalizations between them or not.

    Args:
        anatomy: with the flow of the traced pass.
        alone: whether nothing else may be made from what lies between two of them: then all that one does, it does
            through the next.
    """
    return _chains(anatomy.flow, "weighted", LINKS | {"norm"}, alone=alone)


def norm_chains(anatomy: Anatomy) -> tuple[tuple[str, ...], ...]:
    """Sites of normalizations, each made from the one before through weights and activations, with no way around it."""
    return _chains(anatomy.flow, "norm", LINKS | {"weighted"}, alone=True)


def read_by(anatomy: Anatomy) -> Mapping[str, str | None]:
    """For the site of every weighted operation, the site that shows what the weight was multiplied with.

    None where that is the model's input, or no site shows it.
    """
    return _made_from(anatomy.flow, "weighted")


def given_to(anatomy: Anatomy) -> Mapping[str, str | None]:
    """For the site of every activation, the site that shows what it was given; None likewise."""
    return _made_from(anatomy.flow, "activation")


def _made_from(flow: Flow, effect: str) -> Mapping[str, str | None]:
    steps = flow.steps
    found: dict[str, str | None] = {}
    for step in steps:
        if step.effect != effect or not step.sites:
            continue
        source = _source(steps, step)
        while source is not None and not source.sites and source.effect == "view":
            source = _source(steps, source)
        shown = None if source is None or not source.sites else source.sites[0]
        found.update(dict.fromkeys(step.sites, shown))
    return found


def _chains(flow: Flow, effect: str, through: frozenset[str], *, alone: bool) -> tuple[tuple[str, ...], ...]:
    """Where one value feeds several, the first goes on and the others begin anew."""
    used = Counter((*(source for step in flow.steps for source in step.sources), *flow.outputs))
    forks = frozenset(index for index, times in used.items() if times > 1) if alone else frozenset[int]()
    ends: dict[int, list[Step]] = {}
    chains: list[list[Step]] = []
    for step in flow.steps:
        if step.effect != effect or not step.sites:
            continue
        before = _before(flow.steps, step, effect, through, forks)
        chain = ends.pop(before.index, None) if before is not None else None
        if chain is None:
            chain = []
            chains.append(chain)
        chain.append(step)
        ends[step.index] = chain
    return tuple(tuple(step.sites[0] for step in chain) for chain in chains)


def _before(
    steps: Sequence[Step], step: Step, effect: str, through: frozenset[str], forks: frozenset[int]
) -> Step | None:
    """The nearest step of that effect behind a step, past nothing but what may lie between."""
    source = _source(steps, step)
    while source is not None and source.index not in forks:
        if source.effect == effect and source.sites:
            return source
        is_shift = source.effect == "sum" and len(source.sources) == 1
        if source.effect != effect and source.effect not in through and not is_shift:
            return None
        source = _source(steps, source)
    return None


def _source(steps: Sequence[Step], step: Step) -> Step | None:
    """What a step is made from: its first signal."""
    return steps[step.sources[0]] if step.sources else None


def multiplied(anatomy: Anatomy) -> frozenset[str]:
    """Sites of values that are multiplied with another signal: gates, and what goes through them."""
    steps = anatomy.flow.steps
    return frozenset(
        key
        for step in steps
        if step.name in PRODUCTS and len(step.sources) > 1
        for source in step.sources
        for key in steps[source].sites
    )
