"""Records by hand: a chain of layers whose numbers a test writes down."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import settings

from initprobe.check.judge import judge
from initprobe.check.looks import LookPlan
from initprobe.records import (
    Anatomy,
    CheckRequest,
    Evidence,
    Location,
    ParameterTrace,
    Site,
    SiteTrace,
    Stream,
    Trace,
    Weight,
)

# A busy machine is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

ONE_LOOK = LookPlan(5, 5)


class Records:
    """Builders; every one makes frozen records and keeps nothing."""

    @staticmethod
    def chain(depth, *, units=64, head=False, stream=True, kind="pre-activation", activations=False) -> Anatomy:
        names = [f"block.{i}.linear" for i in range(depth - head)] + ["head"] * head
        weights = tuple(
            Weight(f"{name}.weight", name, "Linear", "linear", (units, units), location=Location("net.py", 10 + i))
            for i, name in enumerate(names)
        )
        sites, keys = [], []
        for i, name in enumerate(names):
            site_kind, weight = ("weighted", f"{name}.weight") if kind == "pre-activation" else ("join", None)
            where = Location("net.py", 10 + i)
            sites.append(Site(name, name, len(sites), "Linear", site_kind, units, -1, weight=weight, location=where))
            keys.append(name)
            if activations:
                act = name.replace("linear", "relu")
                sites.append(Site(act, act, len(sites), "ReLU", "activation", units, -1, location=where))
        streams = (Stream(kind, tuple(keys), ends_model=head),) if stream else ()
        return Anatomy(weights, tuple(sites), streams, modules=len(sites) + 1)

    @staticmethod
    def evidence(
        anatomy,
        forward,
        backward=None,
        *,
        seed=0,
        pair=None,
        zero=(),
        reached=True,
        dtype="float32",
        extra=None,
        **trace,
    ) -> Evidence:
        """One seed: RMS of every weighted or join site; ``extra`` adds statistics by site key."""
        main = [site for site in anatomy.sites if site.kind in ("weighted", "join")]
        traces = []
        for site in anatomy.sites:
            row = (extra or {}).get(site.key, {})
            if site not in main:
                traces.append(SiteTrace(site.key, (256, 64), dtype, {"rms": 1.0, "nonfinite": 0.0, **row}))
                continue
            i = main.index(site)
            values = {"rms": float(forward[i]), "absmax": 3 * float(forward[i]), "nonfinite": 0.0, "count": 16384.0}
            if pair is not None:
                values["pair_distance"] = float(pair[i])
            gradient = None
            if backward is not None and backward[i] is not None:
                gradient = {"rms": float(backward[i]), "nonfinite": 0.0, "count": 16384.0}
            row_back = row.get("backward")
            values.update({key: value for key, value in row.items() if key != "backward"})
            if row_back is not None and gradient is not None:
                gradient.update(row_back)
            traces.append(SiteTrace(site.key, (256, 64), dtype, values, gradient))
        parameters = tuple(
            ParameterTrace(w.name, {"rms": 0.0 if w.module in zero else 0.3}, reached=reached) for w in anatomy.weights
        )
        return Evidence(anatomy, Trace(seed, tuple(traces), trace.pop("parameters", parameters), **trace))

    @staticmethod
    def evidences(anatomy, forward, backward=None, *, pair=None, **options) -> list[Evidence]:
        """One evidence per row."""
        forward = np.atleast_2d(forward)
        rows = len(forward)
        backs = [None] * rows if backward is None else np.atleast_2d(backward)
        pairs = [None] * rows if pair is None else np.atleast_2d(pair)
        return [Records.evidence(anatomy, forward[s], backs[s], pair=pairs[s], seed=s, **options) for s in range(rows)]

    @staticmethod
    def geometric(gain, depth, seeds=5, start=1.0, noise=1e-4) -> np.ndarray:
        """RMS that changes by one factor per layer, a trace of noise over seeds."""
        rng = np.random.default_rng(7)
        slopes = np.log(gain) + noise * rng.standard_normal((seeds, 1))
        return start * np.exp(slopes * np.arange(depth))

    @staticmethod
    def finite_width(rng, depth, width, seeds, log_gain=0.0) -> np.ndarray:
        """RMS of a He/ReLU net after Hanin & Nica 2018: each log RMS step ~ N(-5 / (4 n), 5 / (4 n))."""
        steps = rng.normal(log_gain - 5 / (4 * width), np.sqrt(5 / (4 * width)), (seeds, depth - 1))
        return np.exp(np.concatenate([np.zeros((seeds, 1)), np.cumsum(steps, axis=1)], axis=1))

    @staticmethod
    def judge(evidences: Sequence[Evidence], *, one_draw=False, planned=ONE_LOOK, **request):
        """The judge's answer; a single look unless a plan is given."""
        return judge(evidences, CheckRequest(**request), one_draw=one_draw, planned=planned)


@pytest.fixture(scope="session")
def make() -> type[Records]:
    return Records
