"""NaN and infinity: where they first appear and how far they spread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from initprobe.check import wording
from initprobe.check.case import Case
from initprobe.check.signals import Direction
from initprobe.records import Finding

NOUNS: dict[Direction, str] = {"forward": "values", "backward": "gradients"}


def lost_values(case: Case, direction: Direction) -> Iterator[Finding]:
    """A finding for the first site on the signal's way that holds NaN or infinity; the later ones are downstream."""
    sites = case.sites()
    keys = [site.key for site in (sites if direction == "forward" else reversed(sites))]
    nonfinite = case.facts.signals.at(keys, "nonfinite", direction)
    bad = np.flatnonzero((nonfinite > 0).any(axis=0))
    if len(bad) > 0 and not _swallowed(case, frozenset(keys[place] for place in bad)):
        first, column = keys[bad[0]], nonfinite[:, bad[0]]
        total = case.facts.signals.at([first], "count", direction)[:, 0]
        worst = int(np.nanargmax(column))
        of = f" of {int(total[worst]):,}" if total[worst] >= column[worst] else ""
        finding = case.finding(
            f"{int(column[worst]):,}{of} {NOUNS[direction]} are NaN or infinite at {first}",
            sites=[first],
            measured=f"in {int((column > 0).sum())} of {wording.count(case.seeds, 'seed')}",
            notes=[f"downstream: {wording.count(len(bad) - 1, 'site')}"] if len(bad) > 1 else [],
        )
        yield replace(finding, downstream=len(bad) - 1)
    elif direction == "backward":
        yield from _lost_weight_gradients(case)


def _swallowed(case: Case, lost: frozenset[str]) -> bool:
    """Whether none of it gets anywhere: scores of -inf in front of a softmax, rows that a mask takes out behind it.

    No embedding, no layer with weights, no residual join and no output of the model then holds any, and no gradient of
    theirs does, so that none of a parameter's can.
    """
    carriers = [site.key for site in case.sites("weighted", "embedding", "join")]
    flow = case.facts.anatomy.flow
    ends = {key for index in flow.outputs for key in flow.steps[index].sites} or {case.sites()[-1].key}
    if not carriers or not lost.isdisjoint(ends.union(carriers)):
        return False
    signals = case.facts.signals
    return not any((signals.at(carriers, "nonfinite", direction) > 0).any() for direction in NOUNS)


def _lost_weight_gradients(case: Case) -> Iterator[Finding]:
    """Parameters whose gradient is not finite although that of every site is."""
    lost = [
        weight.name
        for weight in case.facts.anatomy.weights
        if (case.facts.signals.gradient(weight.name, "nonfinite") > 0).any()
    ]
    for names in case.families(lost):
        first = case.weight(names[0])
        yield case.finding_about(
            f"the gradient of {wording.count(len(names), 'parameter')} holds NaN or infinite values",
            about=names,
            label=wording.listing(names),
            location=None if first is None else first.location,
        )
