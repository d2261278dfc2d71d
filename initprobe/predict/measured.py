"""What was measured, averaged over draws, as the moments that laws read."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from initprobe.predict.laws.base import layer_name
from initprobe.predict.moments import Gradient, Moments, ParameterMoments
from initprobe.records import Anatomy, Statistics, Trace

ERRORS = 5.0
"""Standard errors from which on the mean of a weight is told from 0."""

LARGEST = 1e75
"""RMS from which on fourth moments leave float64; float32 ends at half of its digits."""


def gathered(traces: Sequence[Trace], direction: str) -> dict[str, list[Statistics]]:
    """Statistics of every site over the draws, where they are finite."""
    found: dict[str, list[Statistics]] = {}
    for trace in traces:
        for site in trace.sites:
            statistics: Statistics | None = getattr(site, direction)
            if statistics is not None and _usable(statistics):
                found.setdefault(site.key, []).append(statistics)
    return found


def _usable(statistics: Statistics) -> bool:
    """Whether its RMS is a number that can be squared."""
    return _number(statistics, "rms") < LARGEST


def _number(statistics: Statistics, name: str) -> float:
    value = statistics.get(name, math.nan)
    return math.nan if isinstance(value, tuple) else value


def _typical(found: Sequence[Statistics]) -> float:
    """Second moment of the typical draw: the geometric mean, because the logarithm is what spreads evenly."""
    values = [_number(one, "rms") for one in found]
    if min(values) <= 0.0:
        return sum(value**2 for value in values) / len(values)
    return math.exp(2.0 * sum(math.log(value) for value in values) / len(values))


def value_moments(found: Sequence[Statistics]) -> Moments:
    """What was measured at a site, with what two samples have in common where that was measured too."""
    second = _typical(found)
    mean = sum(_number(one, "mean") for one in found) / len(found)
    mean = mean if math.isfinite(mean) else 0.0
    cosines = [_number(one, "cosine") for one in found]
    known = [cosine for cosine in cosines if math.isfinite(cosine)]
    common = second * sum(known) / len(known) if known else mean**2
    return Moments(second, common, common, common, mean)


def value_gradient(found: Sequence[Statistics]) -> Gradient:
    """What was measured of a site's gradient."""
    return Gradient(_typical(found))


def input_moments(traces: Sequence[Trace]) -> dict[str, Moments]:
    """Every float input, by its place in the call."""
    gathered: dict[str, list[Statistics]] = {}
    for trace in traces:
        for place, statistics in trace.inputs.items():
            if _usable(statistics):
                gathered.setdefault(place, []).append(statistics)
    return {place: value_moments(found) for place, found in gathered.items()}


def parameter_moments(traces: Sequence[Trace], anatomy: Anatomy) -> dict[str, ParameterMoments]:
    """Every parameter as it was drawn, averaged over the draws; it goes by all of its names."""
    sizes = {layer_name(weight.name): math.prod(weight.shape) for weight in anatomy.weights}
    sizes |= {weight.name: math.prod(weight.shape) for weight in anatomy.weights}
    drawn: dict[str, list[Statistics]] = {}
    for trace in traces:
        for name, value in [*((one.name, one.value) for one in trace.parameters), *trace.effective.items()]:
            if _usable(value):
                drawn.setdefault(name, []).append(value)
    found = {}
    for name, draws in drawn.items():
        second = sum(_number(draw, "rms") ** 2 for draw in draws) / len(draws)
        mean = sum(_number(draw, "mean") for draw in draws) / len(draws)
        error = math.sqrt(second / max(1, sizes.get(name, 1) * len(draws)))
        found[name] = ParameterMoments(second, mean if abs(mean) > ERRORS * error else 0.0, _taps(draws))
    return found


def _taps(draws: Sequence[Statistics]) -> tuple[float, ...]:
    """The share of every tap of a kernel, averaged over the draws; empty where it is not known."""
    known = [taps for draw in draws if isinstance(taps := draw.get("tap_energy"), tuple)]
    if len(known) < len(draws) or not known or not all(map(math.isfinite, itertools.chain(*known))):
        return ()
    return tuple(sum(column) / len(column) for column in zip(*known, strict=True))
