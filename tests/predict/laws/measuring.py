"""A network as it is measured, beside what theory says of it."""

import math

from initprobe.init.choose import parse_scheme
from initprobe.load.given import open_given
from initprobe.pipeline import Bench
from initprobe.predict.propagate import predict
from initprobe.settings import Flags, known_options, resolve


def measured_and_predicted(build, inputs, *, scheme=None, seeds=(0, 1, 2)):
    """Of every site the RMS over draws (their geometric mean) and what theory expects: forward, and backward."""
    flags = Flags(None if scheme is None else parse_scheme(scheme), known_options({"seeds": tuple(seeds)}), {})
    target, request = open_given(build, inputs)
    bench = Bench(target, resolve(request, flags, target.sections), lambda _line: None)
    traces = [bench.draw(seed) for seed in seeds]
    told = predict(traces[0].anatomy, [one.trace for one in traces], samples=bench.batch)
    forward, backward = {}, {}
    for key, site in told.sites.items():
        shown = [next(one for one in draw.trace.sites if one.key == key) for draw in traces]
        forward[key] = _typical([one.forward["rms"] for one in shown]), site.forward
        if site.backward is not None:
            backward[key] = _typical([one.backward["rms"] for one in shown]), site.backward
    return forward, backward


def _typical(values):
    return math.exp(sum(math.log(max(value, 1e-300)) for value in values) / len(values))


def errors(found, way="accumulated"):
    """Relative errors of what was predicted, by site."""
    return {
        key: abs(getattr(told, way) / shown - 1.0)
        for key, (shown, told) in found.items()
        if getattr(told, way) is not None
    }
