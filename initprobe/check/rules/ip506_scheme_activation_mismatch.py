"""IP506: a scheme that was made for another activation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from initprobe.activations.guide import recommend
from initprobe.check.fans import GAINS, needed_gain
from initprobe.check.plain import plain_runs
from initprobe.check.rules.base import Case, Example, Finding, rule, wording
from initprobe.check.values import std_of, variance_error
from initprobe.records import Weight

DEFAULT = 1.0 / 3.0
"""torch's own default has a rule of its own."""

FANS: Mapping[str, Callable[[float, float], float]] = {
    "fan_in": lambda into, _: into,
    "the mean of both fans": lambda into, out: (into + out) / 2.0,
}
"""What schemes divide a gain by."""

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
        layers = [(site, weight) for site, weight in run.layers if weight.input_activation == run.activation]
        drawn = _drawn(case, [weight for _, weight in layers]) if run.troubled else None
        wanted = needed_gain(run.activation)
        if drawn is None or wanted is None or drawn.gain == DEFAULT or abs(wanted / drawn.gain - 1.0) < drawn.error:
            continue
        use = run.activation or "a linear path"
        least, most = (wording.gain(value) for value in (min(drawn.products), max(drawn.products)))
        yield case.finding(
            f"variance times {drawn.fan} is {GAINS[drawn.gain]}; behind {use} it takes {wanted:.3g}",
            sites=[site.key for site, _ in layers],
            measured=f"{least if least == most else f'{least} to {most}'} over "
            f"{wording.count(len(layers), 'weight')} behind {use}, {wording.count(case.seeds, 'seed')}",
            notes=[
                (
                    f"multiply the standard deviations by {wording.gain(math.sqrt(wanted / drawn.gain))}, or draw them "
                    f"with {recommend(run.activation).scheme}"
                )
            ],
        )


@dataclass(frozen=True, slots=True)
class Drawn:
    """What weights were drawn with.

    Attributes:
        gain: one of ``GAINS``.
        fan: what it was divided by.
        products: variance times that fan, by weight.
        error: the largest relative error of a product.
    """

    gain: float
    fan: str
    products: tuple[float, ...]
    error: float


def _drawn(case: Case, weights: Sequence[Weight]) -> Drawn | None:
    """The known gain that all of them were drawn with, None where it is unknown."""
    stds = [std_of(case, weight) for weight in weights]
    errors = [variance_error(case, weight) for weight in weights]
    for name, fan in FANS.items():
        products = [
            std**2 * fan(weight.fan_in, weight.fan_out)
            for std, weight in zip(stds, weights, strict=True)
            if std is not None and weight.fan_in is not None and weight.fan_out is not None
        ]
        if not weights or len(products) < len(weights):
            return None
        for gain in GAINS:
            if (np.abs(np.array(products) / gain - 1.0) <= errors).all():
                return Drawn(gain, name, tuple(products), max(errors))
    return None
