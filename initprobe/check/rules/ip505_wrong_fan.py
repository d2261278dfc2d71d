"""IP505: a variance over something that is no fan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from initprobe.check.fans import GAINS, needed_gain, right_fans, wrong_fans
from initprobe.check.plain import PlainRun, plain_runs
from initprobe.check.rules.base import Case, Example, Finding, rule, wording
from initprobe.check.values import std_of, variance_error
from initprobe.records import Site, Weight

FEWEST = 3
"""Layers that must agree: one or two may have any variance by chance."""

STACK = """
    import math

    import torch
    from torch import nn

    def build():
        layers = []
        for size, out in [(8, 16), (16, 24), (24, 32), (32, 16), (16, 24), (24, 8)]:
            conv = nn.Conv2d(size, out, 3, padding=1, padding_mode="circular", bias=False)
            fan = {fan}
            nn.init.normal_(conv.weight, std=math.sqrt(2 / fan))
            layers += [conv, nn.ReLU()]
        return nn.Sequential(*layers), torch.randn(16, 8, 6, 6)
    """
FAN_IN = Example(STACK.replace("{fan}", "size * 9"), language="python")
FAN_OUT = Example(STACK.replace("{fan}", "out * 9"), language="python")
NO_AREA = Example(STACK.replace("{fan}", "conv.weight.size(0)"), language="python")


@rule(
    "IP505",
    "wrong-fan",
    "parameters",
    "warning",
    "heuristic",
    good=(FAN_IN, FAN_OUT),
    bad=(NO_AREA,),
    follows=("vanishing-forward", "exploding-forward", "vanishing-backward", "exploding-backward"),
)
def wrong_fan(case: Case) -> Iterator[Finding]:
    """Weights fit a known gain over a number that is not their fan, and the signal drifts.

    What it does:
        Looks at runs of layers without normalization whose signal or gradient drifts beyond its limit. It fires where
        the variance of at least three layers, and of all that could tell, is a known gain over one and the same wrong
        number: channels without the kernel's area, the area without the channels, all channels of a depthwise
        convolution, the number of elements; and over no fan that a scheme may use, fan_out included.

    Why is this bad:
        Fans of convolutions count the kernel. A helper that takes `weight.size(0)` for the fan of a 3x3 kernel makes
        the signal three times larger with every layer.

    Not a problem when:
        A normalization follows each layer: it takes every scale out again, and nothing is said.

    Options:
        check.layer_ignores.

    References:
        He et al. 2015, arXiv:1502.01852, section 2.2: n = k² c; vballoli/nfnets-pytorch issue 30; lczero-training pull
        request 43.
    """
    for run in plain_runs(case):
        answer = _mistaken(case, run) if run.troubled else None
        if answer is not None:
            layers, what, gain = answer
            yield case.finding(
                f"the variance of {wording.count(len(layers), 'weight')} is {GAINS.get(gain, f'{gain:.3g}')}, over "
                f"{what}",
                sites=[site.key for site, _ in layers],
                measured=f"{wording.count(case.seeds, 'seed')}; no gain in use fits over fan_in, fan_out or their mean",
            )


def _mistaken(case: Case, run: PlainRun) -> tuple[Sequence[tuple[Site, Weight]], str, float] | None:
    """The layers, the number that was taken for their fan, and the gain over it."""
    needed = needed_gain(run.activation)
    gains = [*GAINS, *([needed] if needed is not None else [])]
    known = [layer for layer in run.layers if len(layer[1].shape) > 1 and std_of(case, layer[1]) is not None]
    for what in dict.fromkeys(name for _, weight in known for name in wrong_fans(weight)):
        telling = [(site, weight) for site, weight in known if _tells(weight, what)]
        if len(telling) < FEWEST or any(_fits(case, weight, right_fans(weight), gains) for _, weight in telling):
            continue
        for gain in gains:
            if all(_fits(case, weight, (wrong_fans(weight)[what],), [gain]) for _, weight in telling):
                return telling, what, gain
    return None


def _tells(weight: Weight, what: str) -> bool:
    number = wrong_fans(weight).get(what)
    return number is not None and number not in right_fans(weight)


def _fits(case: Case, weight: Weight, fans: Sequence[float], gains: Sequence[float]) -> bool:
    """Whether the variance is one of the gains over one of the fans, as far as its size lets it tell."""
    std = std_of(case, weight) or 0.0
    error = variance_error(case, weight)
    return any(abs(std**2 * fan / gain - 1.0) <= error for fan in fans for gain in gains)
