"""What theory expects of a run of layers, and which number explains it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from initprobe.activations import moments
from initprobe.check import wording
from initprobe.check.case import Case
from initprobe.check.fit import SHORTEST_RUN
from initprobe.check.signals import Direction
from initprobe.errors import UsageError
from initprobe.records import ActivationUse, Gain, Prediction, Segment, Weight

CLOSE = 0.03
"""How near, relative to the gain, a product of two numbers has to come to explain it."""


def with_expected(segments: Sequence[Segment], prediction: Prediction) -> tuple[Segment, ...]:
    """The segments, each gain with the one that theory expects of these weights."""
    return tuple(
        replace(
            segment,
            forward=replace(segment.forward, expected=expected_gain(segment.sites, prediction, "forward")),
            backward=None
            if segment.backward is None
            else replace(segment.backward, expected=expected_gain(segment.sites[::-1], prediction, "backward")),
        )
        for segment in segments
    )


def expected_gain(keys: Sequence[str], prediction: Prediction, direction: Direction) -> float | None:
    """The gain per layer along some sites, in the order in which the signal travels, as least squares has it.

    None where theory follows the signal to fewer of them than a fit needs, or only from something measured on the way.
    """
    found = [prediction.at(key, direction) for key in keys]
    logs = [
        (depth, math.log(one.accumulated))
        for depth, one in enumerate(found)
        if one is not None and not one.resumed and one.accumulated is not None and 0.0 < one.accumulated < math.inf
    ]
    if len(logs) < max(SHORTEST_RUN, len(keys) - 1):
        return None
    depths, values = np.array(logs).T
    centred = depths - depths.mean()
    return math.exp(float(values @ centred / (centred @ centred)))


def explain(case: Case, gain: Gain, direction: Direction, keys: Sequence[str], rung: str = "layer") -> str:
    """The line ``expected`` of a finding about a run: the gain, and the numbers that it is made of.

    Where a layer is a weight and an activation, the gain is the root of two numbers (He et al. 2015, arXiv 1502.01852,
    eq. 10 and 14): fan · E w², and what the activation keeps of the second moment.
    """
    if gain.expected is None:
        return ""
    text = f"{wording.gain(gain.expected)} per {rung} of these weights"
    parts = _parts(case, keys, direction)
    if parts is None:
        return text
    fan, variance, use, kept = parts
    product = fan * variance * kept
    if abs(math.sqrt(product) / gain.expected - 1.0) > CLOSE:
        return text
    noun = "fan_in" if direction == "forward" else "fan_out"
    activation = f"{use} keeps {kept:.3g} of the {'second moment' if direction == 'forward' else 'squared gradient'}"
    return (
        f"{wording.gain(gain.expected)} per {rung} = √({fan * variance:.3g} · {kept:.3g}): {noun} · E w² = {fan:g} · "
        f"{variance:.3g}, and {activation}; it takes {1.0 / kept:.3g} to keep it"
    )


def _parts(
    case: Case, keys: Sequence[str], direction: Direction
) -> tuple[float, float, ActivationUse | str, float] | None:
    """Fan, variance, activation, and what that keeps: of the kind of layer that most of the run is made of."""
    by_key = {site.key: site for site in case.facts.anatomy.sites}
    weights = [case.weight(name) for key in keys[1:] if (name := by_key[key].weight) is not None]
    known = [weight for weight in weights if weight is not None]
    if not known or len(known) < len(keys) - 1:
        return None
    alike = Counter((weight.fan_in, weight.fan_out, weight.input_activation) for weight in known)
    (kind, many) = alike.most_common(1)[0]
    fan = kind[0] if direction == "forward" else kind[1]
    if many < len(known) // 2 or fan is None:
        return None
    same = [weight for weight in known if (weight.fan_in, weight.fan_out, weight.input_activation) == kind]
    variance = _mean_square(case, same)
    use = kind[2] if direction == "forward" else same[0].output_activation
    kept = 1.0 if use is None else _kept(case, keys, use, direction)
    if variance is None or kept is None or kept <= 0.0:
        return None
    return fan, variance, "a linear path" if use is None else use, kept


def _mean_square(case: Case, weights: Sequence[Weight]) -> float | None:
    values = [case.facts.signals.value(weight.name, "rms") for weight in weights]
    squares = np.concatenate(values) ** 2
    return float(squares.mean()) if np.isfinite(squares).all() else None


def _kept(case: Case, keys: Sequence[str], use: ActivationUse, direction: Direction) -> float | None:
    """E f(x)² / E x², or E f'(x)², at the second moment in the middle of the run."""
    middle = float(np.nanmean(case.facts.signals.rms([keys[len(keys) // 2]], "forward") ** 2))
    if not 0.0 < middle < math.inf:
        return None
    try:
        if direction == "forward":
            return moments.second_moment(use, middle) / middle
        return moments.derivative_second_moment(use, middle)
    except UsageError:
        return None
