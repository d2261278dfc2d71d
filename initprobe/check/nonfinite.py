"""NaN and infinity: where they first appear and how far they spread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from initprobe.check import wording
from initprobe.check.case import Case
from initprobe.check.signals import Direction, Mask
from initprobe.records import Finding, Site

NOUNS: dict[Direction, str] = {"forward": "values", "backward": "gradients"}


def lost_values(case: Case, direction: Direction) -> Iterator[Finding]:
    """A finding for the first site on the signal's way that holds NaN or infinity; the later ones are downstream."""
    sites = case.sites()
    keys = [site.key for site in (sites if direction == "forward" else reversed(sites))]
    nonfinite = case.facts.signals.at(keys, "nonfinite", direction)
    lost: Mask = np.asarray((nonfinite > 0).any(axis=0))
    if direction == "forward":
        lost = lost & ~_masked(sites, lost)
    bad = np.flatnonzero(lost)
    if len(bad) > 0:
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


def _masked(sites: Sequence[Site], lost: Mask) -> Mask:
    """Scores with -inf where attention is not to look: a softmax follows, and it is finite, unlike behind NaN."""
    behind = [site.activation is not None and site.activation.name == "softmax" for site in sites[1:]]
    made = [site.kind not in {"weighted", "embedding"} for site in sites[:-1]]
    kept = np.array(behind, dtype=bool) & np.array(made, dtype=bool) & ~lost[1:]
    return np.append(kept, values=False) if len(sites) else lost


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
            paths=[weight.module for name in names if (weight := case.weight(name)) is not None],
            label=wording.listing(names),
            location=None if first is None else first.location,
        )
