"""IP104: one layer of a run scales the signal unlike all others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from initprobe.check.chains import read_by
from initprobe.check.rules.base import Case, Example, Finding, Threshold, rule, wording
from initprobe.check.signals import Array
from initprobe.records import Stream

DEVIATIONS = 4.0
"""Standard deviations that chance is allowed: the RMS of n weights is off by 1 / sqrt(2 n)."""

SHORTEST = 4
"""Layers that it takes to say what is usual among them."""

FACTOR = Threshold(
    "scale_jump.factor",
    10.0,
    "factor",
    "one decade, as for drifts; N(0, 0.02) everywhere, which ignores the fan, makes gains in a DCGAN that lie less "
    "than 7 apart",
    "a layer's gain lies off the median gain of its run by more than this: warning",
)

HE = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 8, name: block, layers: [{type: linear, out: 64}, relu]}
    init: {default: kaiming_normal}
    """
)
EXPLODING = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 8, name: block, layers: [{type: linear, out: 64}, relu]}
    init: {default: {scheme: normal, std: 3.0}}  # x17 in every layer: none of them stands out
    """
)
ONE_LAYER = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 8, name: block, layers: [{type: linear, out: 64}, tanh]}
    init:
      default: xavier_normal
      overrides:
        - {match: "block.3.linear", scheme: {scheme: normal, std: 3.0}}
    """
)


@rule(
    "IP104",
    "scale-jump",
    "forward",
    "warning",
    "high",
    good=(HE, EXPLODING),
    bad=(ONE_LAYER,),
    follows=("vanishing-forward", "exploding-forward"),
    thresholds=(FACTOR,),
)
def scale_jump(case: Case) -> Iterator[Finding]:
    """One layer multiplies the signal by something else than the layers around it.

    What it does:
        Divides the RMS of each pre-activation by that of what its weight was multiplied with, so that activations and
        pooling have no part in it, and compares these gains within a run of layers between two normalizations. It
        fires where a gain lies off the median of the run's others by more than the limit, by more than the seeds
        and the number of weights leave open.

    Why is this bad:
        The layers behind it work at another scale than they were drawn for: bounded activations saturate, biases and
        residual branches lose or win, and one learning rate does not suit both sides. It is mostly a typo: a std where
        a variance was meant, or a layer that the initialization loop passed over.

    Not a problem when:
        The layer reads the model's input, whose scale it may be there to undo, or is its head, whose scale is the
        task's: neither is looked at, nor is a weight that is zero. A normalization resets the scale, so that nothing
        is compared across it; a residual branch that outgrows its stream is IP602's, and a run in which every
        layer gains too much is IP102's.

    Options:
        thresholds.scale_jump.factor (10): off the median gain, either way.

    References:
        He et al. 2015, arXiv:1502.01852, section 2.2; Mishkin & Matas 2016, arXiv:1511.06422.
    """
    limit = math.log(case.facts.thresholds[FACTOR.key])
    source = read_by(case.facts.anatomy)
    for stream in case.facts.anatomy.streams:
        keys = _judged(case, stream, source)
        if len(keys) < SHORTEST:
            continue
        gains = _log_gains(case, keys, source)
        off = gains - _median_of_others(gains)
        chance = np.array([_chance(case, key) for key in keys])
        jumps = case.beyond(off - chance, limit) | case.beyond(off + chance, -limit, "below")
        for column in np.flatnonzero(jumps):
            gain, usual = (float(np.exp(values[:, column].mean())) for values in (gains, gains - off))
            yield case.finding(
                f"{keys[column]} multiplies the signal by {wording.gain(gain)}, the others by {wording.gain(usual)}",
                sites=[keys[column]],
                measured=f"RMS out over RMS in; median of {len(keys) - 1} other layers of the run, "
                f"{wording.count(case.seeds, 'seed')}; warning beyond ×{math.exp(limit):g} either way",
            )


def _judged(case: Case, stream: Stream, source: Mapping[str, str | None]) -> list[str]:
    """The sites of a run of pre-activations whose gain is the layer's own."""
    if stream.kind != "pre-activation":
        return []
    by_key = {site.key: site for site in case.facts.anatomy.sites}
    chosen = []
    for key in stream.sites:
        weight = case.weight(by_key[key].weight or "")
        if source.get(key) is None or weight is None or weight.head or case.facts.signals.is_zero(weight.name):
            continue
        chosen.append(key)
    return chosen


def _log_gains(case: Case, keys: list[str], source: Mapping[str, str | None]) -> Array:
    out = case.facts.signals.rms(keys, "forward")
    into = case.facts.signals.rms([source[key] or "" for key in keys], "forward")
    with np.errstate(divide="ignore", invalid="ignore"):
        gains = np.log(out) - np.log(into)
    return np.where(np.isfinite(gains), gains, np.nan)


def _median_of_others(gains: Array) -> Array:
    """For every layer the median over the others, seed by seed; nan where too few of them are known."""
    columns = range(gains.shape[1])
    medians = np.full_like(gains, np.nan)
    for column in columns:
        others = gains[:, [other for other in columns if other != column]]
        known = others[:, np.isfinite(others).all(axis=0)]
        if known.shape[1] >= SHORTEST - 1:
            medians[:, column] = np.median(known, axis=1)
    return medians


def _chance(case: Case, key: str) -> float:
    """What the luck of one draw may do to a log gain."""
    site = next(site for site in case.facts.anatomy.sites if site.key == key)
    weight = case.weight(site.weight or "")
    size = math.prod(weight.shape) if weight is not None else 1
    draws = 1 if case.facts.one_draw else max(1, case.seeds)
    return case.facts.planned.deviations(DEVIATIONS) / math.sqrt(2.0 * max(1, size) * draws)
