"""IP402: inputs that were alike drift apart."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from initprobe.check.rules.base import Case, Example, Finding, Threshold, rule, wording
from initprobe.records import Segment

GROWTH = Threshold(
    "chaotic_decorrelation.factor",
    2.0,
    "factor",
    "near the fixed point the square of a difference grows by chi_1 per layer: SELU's 1.07 takes ten layers for this, "
    "tanh at torch's gain of 5/3 four (Schoenholz et al. 2017, arXiv:1611.01232)",
    "1 - cosine between the signals of two inputs grows by more than this over a run of layers: info",
)

NEAR_INPUTS = """
    import torch
    from torch import nn

    def build():
        layers = []
        for _ in range(10):
            layer = nn.Linear(128, 128, bias=False)
            nn.init.normal_(layer.weight, std={std} / 128**0.5)
            layers += [layer, nn.Tanh()]
        one = torch.randn(1, 128)
        return nn.Sequential(*layers), one + 0.1 * torch.randn(32, 128)  # inputs that are nearly alike
    """

ORDERED = Example(NEAR_INPUTS.format(std="1.0"), language="python")
CHAOTIC = Example(NEAR_INPUTS.format(std="1.8"), language="python")


@rule(
    "IP402",
    "chaotic-decorrelation",
    "geometry",
    "info",
    "high",
    good=(ORDERED,),
    bad=(CHAOTIC,),
    thresholds=(GROWTH,),
)
def chaotic_decorrelation(case: Case) -> Iterator[Finding]:
    """Inputs that are alike are told apart more and more: the chaotic phase.

    What it does:
        Follows the difference between pairs of inputs, relative to their size, along a run of pre-activations between
        two normalizations. It fires where the difference grows beyond the limit in all seeds alike while the gradient
        grows from output to input, for both grow by the same factor, chi_1. It takes inputs that are alike to
        begin with: independent random ones (the default) are as unlike as they can be, so feed it real data.

    Why is this bad:
        What belongs together comes out unrelated, as if the network were a hash of its input. It can fit its training
        data, and says little about what lies between them. Deeper, the gradient explodes; then IP202 is told, and
        not this.

    Not a problem when:
        The depth is small: chi_1 a little above 1 is where many good networks begin (SELU: 1.07).

    Options:
        thresholds.chaotic_decorrelation.factor (2): growth of 1 - cosine over a run.

    References:
        Poole et al. 2016, arXiv:1606.05340; Schoenholz et al. 2017, arXiv:1611.01232.
    """
    limit = math.log(case.facts.thresholds[GROWTH.key])
    for segment in case.facts.segments:
        if segment.kind != "pre-activation" or not _gradient_grows(segment):
            continue
        ends = [segment.sites[0], segment.sites[-1]]
        distance = case.facts.signals.at(ends, "pair_distance")
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = 2.0 * (np.log(distance) - np.log(case.facts.signals.rms(ends, "forward")))
        growth = logs[:, [1]] - logs[:, [0]]
        if case.beyond(growth, limit).any():
            first, last = (0.5 * math.exp(float(value)) for value in logs.mean(axis=0))
            yield case.finding(
                f"two inputs are told apart more and more: 1 - cosine grows from {wording.size(first)} to "
                f"{wording.size(last)}",
                sites=segment.sites,
                measured=f"×{wording.gain(math.exp(float(growth.mean())))} over {len(segment.sites)} layers, "
                f"{wording.count(case.seeds, 'seed')}; told beyond ×{case.facts.thresholds[GROWTH.key]:g}",
            )


def _gradient_grows(segment: Segment) -> bool:
    """Whether it does, without exploding."""
    gain = segment.backward
    return gain is not None and gain.per_layer.low > 1.0 and gain.status not in {"warning", "error"}
