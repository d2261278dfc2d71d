"""IP603: a stack of normalized layers without skips, whose gradient grows layer by layer."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from initprobe.activations.behaviour import behaviour
from initprobe.check.chains import norm_chains
from initprobe.check.fit import SHORTEST_RUN, Walk
from initprobe.check.rules.base import Case, Example, Finding, Threshold, rule, wording
from initprobe.check.segments import held
from initprobe.errors import UsageError

FACTOR = Threshold(
    "normalization_explosion.factor",
    1000.0,
    "factor",
    "37 layers of batch normalization and ReLU; plain nets of 34 train, if worse than residual ones (x560; He et al. "
    "2016, arXiv:1512.03385), of 50 hardly (Yang et al. 2019, arXiv:1902.08129)",
    "the gradient grows by more than this along a stack of normalizations: warning",
)

VGG_DEEP = Example(
    """
    version: 1
    model:
      input: {shape: [48]}
      layers:
        - {type: repeat, times: 16, name: block, layers: [{type: linear, out: 48, bias: false}, batch_norm, relu]}
    init: {default: kaiming_normal}
    """,
    options=(("batch", 128),),
)
LAYER_NORMED = Example(
    """
    version: 1
    model:
      input: {shape: [48]}
      layers:
        - {type: repeat, times: 50, name: block, layers: [{type: linear, out: 48, bias: false}, layer_norm, relu]}
    init: {default: kaiming_normal}
    """,
    options=(("batch", 16),),
)
DEEP = Example(
    """
    version: 1
    model:
      input: {shape: [48]}
      layers:
        - {type: repeat, times: 60, name: block, layers: [{type: linear, out: 48, bias: false}, batch_norm, relu]}
    init: {default: kaiming_normal}
    """,
    options=(("batch", 128),),
)


@rule(
    "IP603",
    "normalization-gradient-explosion",
    "residual",
    "warning",
    "high",
    good=(VGG_DEEP, LAYER_NORMED),
    bad=(DEEP,),
    thresholds=(FACTOR,),
)
def normalization_gradient_explosion(case: Case) -> Iterator[Finding]:
    """Normalizations without skip connections make the gradient grow with depth, whatever the weights are.

    What it does:
        Fits the log of the gradient's norm at the outputs of normalizations that follow one another through weights and
        activations, with no residual sum between them. It fires where the growth from the last to the first of
        them is beyond the limit in all seeds alike.

    Why is this bad:
        Forward, everything has variance 1. Backward, batch normalization divides the gradient by the standard deviation
        that is left once the mean of the activation is taken off, which multiplies its square by E f'² / Var f per
        layer: π / (π - 1) = 1.47 for ReLU. No initialization changes that, for the normalization undoes its
        scale; skip connections do, and an activation that is nearly linear.

    Not a problem when:
        The stack is shallow: 20 layers of ReLU come to 45, which one learning rate can bear. Layer normalization in
        front of the activation keeps the gradient, and is not accused.

    Options:
        thresholds.normalization_explosion.factor (1000): over the whole stack.

    References:
        Yang et al. 2019, arXiv:1902.08129, "A Mean Field Theory of Batch Normalization".
    """
    limit = case.facts.thresholds[FACTOR.key]
    for chain in norm_chains(case.facts.anatomy):
        keys = [key for key in reversed(chain) if case.facts.signals.has_gradient(key)]
        # Not the RMS: that changes where a stride or a width does, and the same gradient is spread over fewer values.
        norms = case.facts.signals.rms(keys, "backward") * np.sqrt(case.facts.signals.at(keys, "count", "backward"))
        usable = held(norms)
        if not len(norms) or usable.sum() < SHORTEST_RUN:
            continue
        walk = Walk(np.flatnonzero(usable).astype(np.float64), np.log(norms[:, usable]), np.full(usable.sum(), np.nan))
        drift = walk.slopes[:, None] * walk.span
        if case.beyond(drift, math.log(limit)).any():
            gain = math.exp(float(walk.slopes.mean()))
            total, many = math.exp(float(drift.mean())), wording.count(len(keys), "normalization")
            yield case.finding(
                f"gradient norm grows ×{wording.gain(total)} over {many}, ×{wording.gain(gain)} by each, output to "
                "input",
                sites=keys,
                label=f"{wording.span(keys)} ({many})",
                measured=f"×{wording.gain(total)} from {keys[0]} to {keys[-1]}, {wording.count(case.seeds, 'seed')}; "
                f"warning beyond ×{wording.limit(limit)} (×{wording.gain(limit ** (1.0 / walk.span))} by each)",
                expected=_expected(case, keys),
                notes=[
                    (
                        "no initialization changes this, for the normalization undoes the scale of the weights: skip "
                        "connections do, fewer layers, or an activation that is nearer to linear"
                    )
                ],
            )


def _expected(case: Case, keys: Sequence[str]) -> str:
    """What theory says of batch normalization and the activation that most of the stack has."""
    steps = [step for step in case.facts.anatomy.flow.steps if not set(keys).isdisjoint(step.sites)]
    if any(step.effect == "norm" and step.name != "batch_norm" for step in steps):
        return ""
    order = {site.key: site.order for site in case.facts.anatomy.sites}
    low, high = order[keys[-1]], order[keys[0]]
    uses = Counter(
        site.activation for site in case.sites("activation") if low < site.order < high and site.activation is not None
    )
    if not uses:
        return ""
    (use, _) = uses.most_common(1)[0]
    try:
        rate = behaviour(use).batch_rate
    except UsageError:
        return ""
    return f"×{wording.gain(math.sqrt(rate))} by each = √(E f'² / Var f) for {use} behind batch normalization"
