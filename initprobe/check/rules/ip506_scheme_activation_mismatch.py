"""IP506: a scheme that was made for another activation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from initprobe.check.fans import GAINS, needed_gain
from initprobe.check.plain import PlainRun, plain_runs
from initprobe.check.rules.base import Case, Example, Finding, rule, wording
from initprobe.check.values import std_of, variance_error

DEFAULT = 1.0 / 3.0
"""torch's own default has a rule of its own."""

STACK = """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 40, name: block, layers: [{type: linear, out: 64}, ACTIVATION]}
    """
HE_RELU = Example(STACK.replace("ACTIVATION", "relu"), scheme="kaiming_normal")
XAVIER_TANH = Example(STACK.replace("ACTIVATION", "tanh"), scheme="xavier_normal")
NORMALIZED = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 8, name: block, layers: [{type: linear, out: 64}, layer_norm, relu]}
    """,
    scheme="xavier_normal",
)
XAVIER_RELU = Example(STACK.replace("ACTIVATION", "relu"), scheme="xavier_normal")
HE_TANH = Example(STACK.replace("ACTIVATION", "tanh").replace("times: 40", "times: 100"), scheme="he")


@rule(
    "IP506",
    "scheme-activation-mismatch",
    "parameters",
    "warning",
    "high",
    good=(HE_RELU, XAVIER_TANH, NORMALIZED),
    bad=(XAVIER_RELU, HE_TANH),
    follows=("vanishing-forward", "exploding-forward", "vanishing-backward", "exploding-backward", "wrong-fan"),
)
def scheme_activation_mismatch(case: Case) -> Iterator[Finding]:
    """The weights have the variance that belongs to another activation than the one that is there.

    What it does:
        Looks at runs of layers without normalization whose signal or gradient drifts beyond its limit, and at variance
        times fan_in (or times the mean of both fans). Where that is the same for all layers, is a gain that schemes
        use, and is not the one that keeps a signal with this activation, it says which is there and which is wanted.

    Why is this bad:
        Xavier assumes a linear unit; relu halves the second moment, and 50 layers of it leave 3e-8 of the signal.
        Under tanh, He's gain puts the network on the chaotic side and gradients grow.

    Not a problem when:
        A normalization takes the scale out again, or the network is shallow: nothing drifts, and nothing is said.

    Options:
        check.layer_ignores.

    References:
        He et al. 2015, arXiv:1502.01852, eq. 10 and 14; Schoenholz et al. 2017, arXiv:1611.01232; `initprobe theory`
        tells the gain of any activation.
    """
    for run in plain_runs(case):
        there = _gain_there(case, run) if run.troubled else None
        wanted = needed_gain(run.activation)
        if there is None or wanted is None or there == DEFAULT:
            continue
        use = run.activation or "a linear path"
        yield case.finding(
            f"variance times fan is {GAINS[there]}, and {use} wants {wanted:.3g}",
            sites=[site.key for site, _ in run.layers],
            measured=f"{wording.count(len(run.layers), 'weight')}, {wording.count(case.seeds, 'seed')}",
        )


def _gain_there(case: Case, run: PlainRun) -> float | None:
    """The known gain that all layers behind the activation were drawn with, None where it is unknown or right."""
    layers = [weight for _, weight in run.layers if weight.input_activation == run.activation]
    wanted = needed_gain(run.activation)
    for fan in ("in", "mean"):
        found, errors = [], []
        for weight in layers:
            std = std_of(case, weight)
            if std is None or weight.fan_in is None or weight.fan_out is None:
                return None
            number = weight.fan_in if fan == "in" else (weight.fan_in + weight.fan_out) / 2.0
            found.append(std**2 * number)
            errors.append(variance_error(case, weight))
        if not found:
            return None
        for gain in GAINS:
            if (np.abs(np.array(found) / gain - 1.0) <= errors).all():
                return None if wanted is not None and abs(wanted / gain - 1.0) < max(errors) else gain
    return None
