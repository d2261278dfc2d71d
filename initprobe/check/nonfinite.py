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

CARRIERS = ("weighted", "embedding", "join")
"""Kinds of sites that a signal cannot pass by."""


def lost_values(case: Case, direction: Direction) -> Iterator[Finding]:
    """A finding for the first site on the signal's way that holds NaN or infinity; the later ones are downstream."""
    sites = case.sites()
    keys = [site.key for site in (sites if direction == "forward" else reversed(sites))]
    nonfinite = case.facts.signals.at(keys, "nonfinite", direction)
    bad = np.flatnonzero((nonfinite > 0).any(axis=0))
    if len(bad) > 0 and not _swallowed(case, frozenset(keys[place] for place in bad), direction):
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


def _swallowed(case: Case, lost: frozenset[str], direction: Direction) -> bool:
    """Whether none of it gets anywhere: scores of -inf in front of a softmax, rows that a mask takes out behind it."""
    if direction == "forward" and _within(case, lost):
        return True
    known = case.facts.signals
    owners = {weight.module for weight in case.facts.anatomy.weights}
    carriers = [site.key for site in case.sites(*CARRIERS)]
    learners = [site.key for site in case.sites() if site.kind in CARRIERS or site.path in owners]
    if not lost.isdisjoint(carriers) or not np.isfinite(known.at(carriers, "rms", "backward")).any():
        return False
    if (known.at(learners, "nonfinite", "backward") > 0).any():  # nor does a parameter's gradient then hold any
        return False
    return direction == "backward" or _taken_out(case, lost)


def _within(case: Case, lost: frozenset[str]) -> bool:
    """Whether no layer puts any of it out, and no gradient does."""
    sites = [site for site in case.sites() if site.key in lost]
    within = all(site.operation is not None and site.kind not in {"weighted", "embedding"} for site in sites)
    keys = [site.key for site in case.sites()]
    return within and not (case.facts.signals.at(keys, "nonfinite", "backward") > 0).any()


def _taken_out(case: Case, lost: frozenset[str]) -> bool:
    """Whether every way onward from it meets a value that is finite: none ends out of sight, or in an output.

    An attention is one step of its values, which tells nothing of its mask: what is lost in front of scores that are
    lost may be that.
    """
    flow, outputs = case.facts.anatomy.flow, _outputs(case)
    measured = {site.key for site in case.sites()}
    steps = {step.index: measured.intersection(step.sites) for step in flow.steps}
    readers: dict[int, list[int]] = {}
    for step in flow.steps:
        for source in step.sources:
            readers.setdefault(source, []).append(step.index)
    ahead = [index for index, keys in steps.items() if not lost.isdisjoint(keys)]
    masked = max((index for index in ahead if flow.steps[index].name == "scores"), default=-1)
    if not lost.isdisjoint(outputs) or not lost.issubset(set().union(*steps.values())):
        return False
    seen = set(ahead)
    while ahead:
        index = ahead.pop()
        if index in flow.outputs or (index not in readers and index > masked):
            return False
        onward = [one for one in readers.get(index, ()) if not steps[one] or not lost.isdisjoint(steps[one])]
        ahead += [one for one in onward if one not in seen]
        seen.update(onward)
    return True


def _outputs(case: Case) -> frozenset[str]:
    """The sites that the model itself puts out, by the names of those that show the same tensor."""
    own = [site for site in case.facts.anatomy.sites if not site.path and site.operation is None]
    return frozenset(site.alias_of or site.key for site in own)


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
            f"the gradient of {wording.listing(names)} holds NaN or infinite values",
            about=names,
            label=wording.listing(names),
            location=None if first is None else first.location,
        )
