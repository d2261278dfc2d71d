"""IP703: logits so large that the softmax has decided before anything was learned."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from initprobe.check.rules.base import Case, Example, Finding, Logits, Threshold, rule, wording

ENTROPY = Threshold(
    "large_logits.entropy",
    0.4,
    "fraction",
    "Gaussian logits leave this much at a standard deviation of 3 (2 to 100 classes; 3.8 for a thousand); a "
    "He-initialized head on features of unit size, 1.4, leaves 0.66 to 0.85",
    "entropy of the softmax below this share of ln C: warning",
)
DEEP = """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 6, name: block, layers: [{type: linear, out: 64}, relu]}
        - {type: linear, out: 10, name: head}
    probe: {loss: cross_entropy}
"""
HE = Example(DEEP + "    init: {default: kaiming_normal}\n")
LARGE_HEAD = Example(
    DEEP + "    init: {default: kaiming_normal, overrides: [{match: head, scheme: {scheme: normal, std: 2.0}}]}\n"
)


@rule(
    "IP703",
    "large-logits",
    "output",
    "warning",
    "high",
    good=(HE,),
    bad=(LARGE_HEAD,),
    follows=("exploding-forward",),
    thresholds=(ENTROPY,),
)
def large_logits(case: Case) -> Iterator[Finding]:
    """The logits are so large that the softmax has decided before anything was learned.

    What it does:
        Where the output is known to be logits (a log-softmax takes it on its way into the loss, or the model ends in a
        softmax), it takes the entropy of the softmax over the classes, as a share of ln C, which equal probabilities
        have. It fires where the mean over samples and seeds is below the limit.

    Why is this bad:
        A softmax that is sure has no gradient where it is right, by luck, and a full one where it is wrong: the loss is
        far above ln C, and the first updates only shrink the head.

    Not a problem when:
        The weights are those of a trained model, which has its reasons.

    Options:
        thresholds.large_logits.entropy (0.4): share of ln C.

    References:
        Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599, section 2; Karpathy 2019,
        "A Recipe for Training Neural Networks".
    """
    logits = Logits.of(case)
    limit = case.facts.thresholds[ENTROPY.key]
    # Classes at -inf are masked, and what is left of the entropy is the mask's; overflow is told by IP103.
    if logits is None or not np.isfinite(logits.spread).all() or not case.beyond(logits.entropy, limit, "below")[0]:
        return
    share, spread = float(logits.entropy.mean()), float(logits.spread.mean())
    yield case.finding(
        f"the softmax over {logits.classes:,} classes has decided already: its entropy is {100 * share:.0f} % of "
        f"ln {logits.classes:,}",
        sites=logits.site,
        measured=f"logits of standard deviation {wording.size(spread)} over the classes, "
        f"{wording.count(case.seeds, 'seed')}; warning below {100 * limit:g} % of {math.log(logits.classes):.3f}",
    )
