"""IP106: a layer does something else to the signal than its weights should."""

from __future__ import annotations

import math
from collections.abc import Iterator

from initprobe.check.rules.base import Case, Example, Finding, Threshold, rule, wording
from initprobe.records import Site

DEVIATIONS = 4.0
"""Standard deviations of the mean over draws that a layer must lie off: a network has many layers."""

GAP = Threshold(
    "theory_gap.factor",
    1.5,
    "factor",
    "predictions from the layer before are off by less than 1.1 on the networks of docs/theory.md; causal "
    "attention, whose positions are not alike, by up to 1.4",
    "a layer's RMS lies off what its weights should make of its input by more than this: info",
)

HE = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 10, name: block, layers: [{type: linear, out: 64}, relu]}
    init: {default: kaiming_normal}
    """
)
ONE_UNIT = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 10, name: block, layers: [{type: linear, out: 64}, relu]}
        - {type: linear, out: 1, name: head}
    init: {default: torch_default}
    """
)
ALIGNED = Example(
    """
    import torch
    from torch import nn

    def build():
        first, second = nn.Linear(64, 256), nn.Linear(256, 64)
        with torch.no_grad():
            second.weight.copy_(first.weight.t())  # tied, so that it undoes the first instead of mixing anew
        return nn.Sequential(first, second), torch.randn(64, 64)
    """,
    language="python",
)


@rule("IP106", "off-theory", "forward", "info", "heuristic", good=(HE, ONE_UNIT), bad=(ALIGNED,), thresholds=(GAP,))
def off_theory(case: Case) -> Iterator[Finding]:
    """A layer's signal is not what theory expects of its weights and of what came in.

    What it does:
        For every site theory tells the RMS from the weights as they are and from what was measured just before. It
        fires where the measurement lies off by more than the limit and by more than a finite width leaves open.

    Why is this bad:
        Theory takes weights for independent of each other and of the signal. Where that fails, something else is going
        on: layers that are copies of one another, weights that are tied or structured, a data set whose positions are
        all alike, or an operation that does not do what its name says. It is a place to look at, not an error.

    Not a problem when:
        The structure is meant: identity or mirrored initializations, attention that a few keys dominate.

    Options:
        thresholds.theory_gap.factor (1.5): how far off, as a factor either way.

    References:
        Poole et al. 2016, arXiv:1606.05340; Schoenholz et al. 2017, arXiv:1611.01232.
    """
    sites = case.sites("weighted", "attention", "join", "norm", "activation")
    gaps = {site.key: gap for site in sites if (gap := _gap(case, site)) is not None}
    for run in case.runs(sites, lambda site: site.key in gaps):
        keys = [site.key for site in run]
        worst = max(keys, key=lambda key: abs(math.log(gaps[key][0] / gaps[key][1])))
        measured, expected = gaps[worst]
        yield case.finding(
            f"the signal at {worst} is ×{wording.gain(measured / expected)} of what its weights should make of it",
            sites=keys,
            measured=f"RMS {wording.size(measured)}, {wording.count(case.seeds, 'seed')}; told beyond "
            f"×{case.facts.thresholds[GAP.key]:g}",
            expected=f"RMS {wording.size(expected)}, from the weights and what was measured at the layer before",
        )


def _gap(case: Case, site: Site) -> tuple[float, float] | None:
    """Measured and expected RMS, where they lie too far apart."""
    found = case.facts.prediction.at(site.key, "forward")
    if found is None or found.local is None or not 0.0 < found.local < math.inf:
        return None
    rms = case.facts.signals.rms([site.key], "forward")[:, 0]
    if not all(0.0 < value < math.inf for value in rms):
        return None
    measured = math.exp(sum(math.log(value) for value in rms) / len(rms))
    beyond = abs(math.log(measured / found.local))
    band = case.facts.planned.deviations(DEVIATIONS) * found.spread / math.sqrt(len(rms))
    limit = math.log(case.facts.thresholds[GAP.key])
    return (measured, found.local) if beyond > max(limit, band) else None
