"""IP702: logits so small that every class looks the same."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from initprobe.check.rules.base import Case, Example, Finding, Logits, Threshold, rule, wording

SPREAD = Threshold(
    "small_logits.spread",
    1e-3,
    "fraction",
    "every probability is within a thousandth of 1/C; heads that are small on purpose lie above it (0.01 of an "
    "orthogonal one in policies, Andrychowicz et al. 2021, arXiv:2006.05990), or are exactly zero",
    "standard deviation of a sample's logits over the classes below this: info",
)
NET = """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: linear, out: 64}
        - relu
        - {type: linear, out: 10, name: head}
    probe: {loss: cross_entropy}
"""
HE = Example(NET + "    init: {default: kaiming_normal}\n")
ZERO_HEAD = Example(NET + "    init: {default: kaiming_normal, overrides: [{match: head, scheme: zeros}]}\n")
TINY_HEAD = Example(
    NET + "    init: {default: kaiming_normal, overrides: [{match: head, scheme: {scheme: normal, std: 0.00001}}]}\n"
)


@rule(
    "IP702",
    "small-logits",
    "output",
    "info",
    "high",
    good=(HE, ZERO_HEAD),
    bad=(TINY_HEAD,),
    follows=("vanishing-forward",),
    thresholds=(SPREAD,),
)
def small_logits(case: Case) -> Iterator[Finding]:
    """The logits are so small that the classes tie.

    What it does:
        Where the output is known to be logits (a log-softmax takes it on its way into the loss, or the model ends in a
        softmax), it takes the standard deviation of each sample's logits over the classes, in nats, and fires where
        the mean over samples and seeds is below the limit, and not zero.

    Why is this bad:
        The gradient that the head hands down is as small as its weights, so that everything below it waits until the
        head has grown.

    Not a problem when:
        The head is zero on purpose: that is the usual way to start at ln C, and the rule is silent about it. A small
        head in front of a large learning rate is the same idea.

    Options:
        thresholds.small_logits.spread (0.001): nats.

    References:
        Micikevicius et al. 2018, arXiv:1710.03740, for what becomes of gradients this small; Yang & Hu 2021, "Feature
        Learning in Infinite-Width Neural Networks", arXiv:2011.14522, for heads that are zero.
    """
    logits = Logits.of(case)
    limit = case.facts.thresholds[SPREAD.key]
    if (
        logits is None
        or not (logits.spread > 0).all()
        or not case.beyond(np.log(logits.spread), math.log(limit), "below")[0]
    ):
        return
    spread = math.exp(float(np.log(logits.spread).mean()))
    yield case.finding(
        f"the logits of {logits.classes:,} classes differ by {wording.size(spread)}: every class is as likely as any "
        "other",
        sites=logits.site,
        measured=f"standard deviation over the classes, {wording.count(case.seeds, 'seed')}; told below {limit:g}",
    )
