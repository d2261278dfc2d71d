"""IP701: the loss before the first update is far above that of a guess."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from initprobe.check.rules.base import Case, Example, Finding, Threshold, rule, shown, wording

FACTOR = Threshold(
    "loss_from_chance.factor",
    2.0,
    "factor",
    "TheDeepChecker reports |L - ln C| >= ln C; Gaussian logits reach it at a standard deviation of 2 for two classes "
    "and of 4 for a thousand, where a head of unit gain has 1",
    "the loss is above that of a constant guess by more than this: warning",
)
HE = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 6, name: block, layers: [{type: linear, out: 64}, relu]}
        - {type: linear, out: 10, name: head}
    probe: {loss: cross_entropy}
    init: {default: kaiming_normal}
    """
)
SURE_OF_YES_OR_NO = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers: [{type: linear, out: 64}, relu, {type: linear, out: 1, name: head}]
    probe: {loss: bce}
    init: {default: kaiming_normal, overrides: [{match: head, scheme: {scheme: normal, std: 2.0}}]}
    """
)


@rule(
    "IP701",
    "loss-far-from-chance",
    "output",
    "warning",
    "high",
    good=(HE,),
    bad=(SURE_OF_YES_OR_NO,),
    follows=("large-logits", "exploding-forward"),
    thresholds=(FACTOR,),
)
def loss_far_from_chance(case: Case) -> Iterator[Finding]:
    """The loss before the first update is far above that of a constant guess.

    What it does:
        Reads off the autograd graph whether the loss is a plain mean of negative log-likelihoods of a softmax over C
        classes, or of a yes or no, and compares its value with ln C (ln 2), what equal probabilities would get. It
        fires where the geometric mean over seeds is above that by more than the factor. A loss below chance is no
        fault: it knows how often each class comes.

    Why is this bad:
        The network is sure of answers that it has no reason for, and the first updates do nothing but take that back:
        the loss falls like a hockey stick, and the gradient is that of a few confident mistakes.

    Not a problem when:
        The weights are those of a trained model and the labels are drawn: then it is confident with a reason.

    Options:
        thresholds.loss_from_chance.factor (2): loss over ln C. Other losses (regression, sums over samples, weighted
        classes, a random cotangent) have no chance level that is known, and are not judged.

    References:
        Karpathy 2019, "A Recipe for Training Neural Networks" ("verify loss @ init"); Ben Braiek & Khomh 2023,
        "Testing Feedforward Neural Networks Training Programs" (TheDeepChecker), arXiv:2204.00694.
    """
    outputs = [evidence.trace.output for evidence in case.facts.evidences]
    pairs = [(one.loss, one.chance) for one in outputs if one is not None and one.loss is not None and one.chance]
    if len(pairs) < len(outputs) or not all(0.0 < loss < math.inf for loss, _ in pairs):
        return
    ratio = np.log([[loss / (chance or 1.0)] for loss, chance in pairs])
    limit = case.facts.thresholds[FACTOR.key]
    if not case.beyond(ratio, math.log(limit))[0]:
        return
    loss = math.exp(float(np.mean([math.log(loss) for loss, _ in pairs])))
    chance = pairs[0][1] or 0.0
    classes = round(math.exp(chance))
    yield case.finding(
        f"the loss is {wording.size(loss)} before the first update; a constant guess among {classes:,} answers gets "
        f"{wording.size(chance)}",
        sites=shown(case, outputs[0].site if outputs[0] is not None else None),
        measured=f"×{wording.gain(math.exp(float(ratio.mean())))} of chance, {wording.count(case.seeds, 'seed')}; "
        f"warning beyond ×{limit:g}",
        expected=f"ln {classes:,} = {chance:.3f} for logits that know nothing; a head of smaller weights gets there",
    )
