"""IP401: the signals of different inputs become one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from initprobe.check.chains import weighted_chains
from initprobe.check.rules.base import Case, Example, Finding, Threshold, rule, wording
from initprobe.check.signals import Array
from initprobe.records import Site

SHORTEST = 4
"""Sites of a run: a collapse is something that layers do, not one of them."""

FALL = 0.01
"""How far the difference must have fallen along the run: inputs that are alike are nobody's fault."""

POOLED = 16
"""A pooling of more positions than that averages noise away and says nothing of depth."""

RESOLUTION = 1e-15
"""What is left of a difference in float64, squared; keeps the logarithm of an exact 0 finite."""

DIFFERENCE = Threshold(
    "correlation_collapse.difference",
    0.001,
    "fraction",
    "a correct He/ReLU net loses its inputs as 44 / depth² and reaches this at depth 200, where it hardly trains; an "
    "ordered one, or one of torch's default init, within 10 layers (Schoenholz et al. 2017, arXiv:1611.01232)",
    "1 - cosine between the signals of two inputs, less than this at the end of a run: warning",
)

HE = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 50, name: block, layers: [{type: linear, out: 64}, relu]}
    init: {default: kaiming_normal}
    """,
    options=(("batch", 32),),
)
CRITICAL_TANH = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 30, name: block, layers: [{type: linear, out: 64}, tanh]}
    init: {default: xavier_normal}
    """,
    options=(("batch", 32),),
)
TORCH_DEFAULT = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 20, name: block, layers: [{type: linear, out: 64}, relu]}
    init: {default: torch_default}
    """,
    options=(("batch", 32),),
)
SIGMOID = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 8, name: block, layers: [{type: linear, out: 64}, sigmoid]}
    init: {default: xavier_normal}
    """,
    options=(("batch", 32),),
)


@rule(
    "IP401",
    "correlation-collapse",
    "geometry",
    "warning",
    "high",
    good=(HE, CRITICAL_TANH),
    bad=(TORCH_DEFAULT, SIGMOID),
    thresholds=(DIFFERENCE,),
)
def correlation_collapse(case: Case) -> Iterator[Finding]:
    """Behind a run of layers, all inputs look the same.

    What it does:
        Takes pairs of inputs and divides the mean square of the difference of their signals by twice their mean square,
        which is 1 - cosine for signals of one length. It follows it along weights and activations, across
        normalizations too, and along residual streams. It fires where it ends below the limit after it has fallen a
        hundredfold, in all seeds alike. A pooling over many positions begins a new run: what it averages away is noise
        of the input. The head is left out: its biases may be the classes' prior, which is the same for all inputs.

    Why is this bad:
        What the last layers see hardly depends on the input any more; they learn the mean of the targets and nothing
        else, and the gradients of different samples agree. The RMS does not show it: where biases or the mean of the
        activation have replaced the signal, it looks well kept.

    Not a problem when:
        The depth is moderate: a correct ReLU net makes its inputs more alike by a power of its depth (cosine 0.99 at
        depth 50), and trains; only exponential collapse comes below the limit at depths below 200.

    Options:
        thresholds.correlation_collapse.difference (0.001): 1 - cosine at the end of a run.

    References:
        Schoenholz et al. 2017, arXiv:1611.01232; Hayou et al. 2019, arXiv:1902.06853; Cho & Saul 2009.
    """
    limit = case.facts.thresholds[DIFFERENCE.key]
    told: set[str] = set()
    joins = {key for stream in case.facts.anatomy.streams if stream.kind == "residual" for key in stream.sites}
    for keys in _runs(case):
        difference = _difference(case, keys)
        fallen = np.log(difference) - np.log(difference[:, :1])
        low = case.beyond(np.log(difference), math.log(limit), "below") & case.beyond(fallen, math.log(FALL), "below")
        if not low[-1] or told & set(keys):
            continue
        told |= set(keys)
        first = int(low.argmax())
        ends = [float(np.exp(np.log(difference[:, column]).mean())) for column in (0, -1)]
        yield case.finding(
            f"the signals of two inputs differ by {_size(ends[0])} at first and {_size(ends[1])} at the end "
            f"(1 - cosine) over {len(keys)} layers",
            sites=keys[first:],
            label=f"{wording.span(keys)} ({len(keys)} layers, first below {wording.limit(limit)}: {keys[first]})",
            measured=f"mean square of the difference over twice the mean square, {wording.count(case.seeds, 'seed')}; "
            f"warning below {wording.limit(limit)}",
            expected="" if keys[0] in joins else _behind_relu(min(1.0, ends[0]), len(keys) - 1),
        )


def _size(value: float) -> str:
    return "next to nothing" if value < 10 * RESOLUTION else wording.size(value)


def _behind_relu(difference: float, layers: int) -> str:
    """What layers of He weights and ReLU make of 1 - cosine: the arc-cosine kernel of degree 1 (Cho & Saul 2009)."""
    cosine = 1.0 - difference
    for _ in range(layers):
        cosine = (math.sqrt(1.0 - cosine**2) + cosine * (math.pi - math.acos(cosine))) / math.pi
    return f"a correct ReLU net makes {_size(1.0 - cosine)} of it"


def _runs(case: Case) -> Iterator[Sequence[str]]:
    """Chains of weights and residual streams, cut at poolings; zero weights and the head say nothing."""
    anatomy, signals = case.facts.anatomy, case.facts.signals
    chains = [stream.sites for stream in anatomy.streams if stream.kind == "residual"]
    site_of = {site.key: site for site in anatomy.sites}
    heads = {one.name for one in anatomy.weights if one.head and one.output_activation is None}
    shapes = {key: trace.shape for sites in signals.sites[:1] for key, trace in sites.items()}
    for chain in (*chains, *weighted_chains(anatomy)):
        run: list[str] = []
        before = 0
        for key in chain:
            if key not in site_of or signals.is_zero(site_of[key].weight) or site_of[key].weight in heads:
                continue
            positions = _positions(site_of[key], shapes.get(key, ()))
            if run and (positions == 1 < before or POOLED * positions < before):
                yield from [run] if len(run) >= SHORTEST else []
                run = []
            run.append(key)
            before = positions
        yield from [run] if len(run) >= SHORTEST else []


def _positions(site: Site, shape: Sequence[int]) -> int:
    """Values of a unit per sample."""
    return max(1, math.prod(shape[1:]) // site.units) if shape and site.units else 1


def _difference(case: Case, keys: Sequence[str]) -> Array:
    """1 - cosine, as far as the signals are of one length, shape (seeds, sites); nan where it was not measured."""
    distance, rms = case.facts.signals.at(keys, "pair_distance"), case.facts.signals.rms(keys, "forward")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        relative = 0.5 * (distance / rms) ** 2
    return np.where(np.isfinite(relative), np.maximum(relative, RESOLUTION), np.nan)
