"""IP302: units that sit where their activation is flat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from initprobe.activations.saturation import flat_beyond
from initprobe.check.chains import given_to, multiplied
from initprobe.check.rules.base import Case, Example, Finding, Threshold, rule, wording
from initprobe.check.signals import Array
from initprobe.records import Site

FRACTION = Threshold(
    "saturated_units.fraction",
    0.5,
    "fraction",
    "a correct hardtanh net is flat at 32 % of its values (pre-activations of variance 1), a tanh net at 3 to 5 %: one "
    "half is a fault for every one of them (and the limit of SageMaker Debugger and TheDeepChecker, which define it "
    "by other bounds)",
    "more than this share of an activation's values lies where its slope is below 5 % of the largest: warning",
)

XAVIER = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 8, name: block, layers: [{type: linear, out: 64}, tanh]}
    init: {default: xavier_normal}
    """
)
CLIPPED = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 6, name: block, layers: [{type: linear, out: 64}, hardtanh]}
    init: {default: {scheme: normal, std: 0.174}}  # sigma_w² = 1.94 keeps the variance at 1: a third is clipped
    """
)
LARGE = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 8, name: block, layers: [{type: linear, out: 64}, tanh]}
    init: {default: {scheme: normal, std: 1.0}}
    """
)


@rule(
    "IP302",
    "saturated-units",
    "units",
    "warning",
    "high",
    good=(XAVIER, CLIPPED),
    bad=(LARGE,),
    thresholds=(FRACTION,),
    needs=("saturated_fraction",),
)
def saturated_units(case: Case) -> Iterator[Finding]:
    """Most values of a bounded activation lie where it is flat.

    What it does:
        Looks at activations that are flat at both ends (tanh, sigmoid, hardtanh, softsign ...) and counts the values
        at which the slope is below 5 % of the largest one: for tanh beyond 0.975, for a sigmoid outside of
        [0.013, 0.987]. It fires where their share is beyond the limit by more than the seeds leave open. Neighbouring
        layers are one finding.

    Why is this bad:
        A saturated unit passes next to no gradient to its weights: it hardly learns, and what it says of its input is
        one bit. The few units that are not saturated get all of the gradient, through weights that are too large.

    Not a problem when:
        The activation is a gate that is meant to be open or shut at first (the sigmoid of an LSTM with a chrono bias):
        sigmoids that multiply another signal are left out, and so is what a router did not choose. So are softmax and
        the rectifiers, whose silent half is IP301's.

    Options:
        thresholds.saturated_units.fraction (0.5): share of one activation's values.

    References:
        Glorot & Bengio 2010, section 3; LeCun et al. 1998, "Efficient BackProp", section 4.4; Rakitianskaia &
        Engelbrecht 2015, "Measuring saturation in neural networks".
    """
    gates = multiplied(case.facts.anatomy)
    sites = [site for site in case.sites("activation") if not _is_gate(site, gates)]
    keys = [site.key for site in sites]
    shares = _shares(case, sites)
    limit = case.facts.thresholds[FRACTION.key]
    flagged = dict(zip(keys, case.beyond(shares, limit), strict=True))
    means = dict(zip(keys, shares.mean(axis=0), strict=True)) if len(shares) else {}
    for run in case.runs(sites, lambda site: bool(flagged[site.key])):
        worst = max(run, key=lambda site: float(means[site.key]))
        low, high = _bounds(worst)
        percent = [100 * float(means[site.key]) for site in run]
        yield case.finding(
            f"{max(percent):.0f} % of the values of {worst.key} are saturated: {worst.activation} is flat there",
            sites=[site.key for site in run],
            measured=f"{_span(percent)} of the values, at most {low:.3g} or at least {high:.3g}: the slope is below "
            f"5 % of its maximum there; {wording.count(case.seeds, 'seed')}, warning beyond {100 * limit:g} %",
            notes=_inputs(case, worst.key),
        )


def _span(shares: Sequence[float]) -> str:
    """The least and the largest share: ``59 to 79 %``."""
    least, most = (f"{share:.0f}" for share in (min(shares), max(shares)))
    return f"{most} %" if least == most else f"{least} to {most} %"


def _shares(case: Case, sites: Sequence[Site]) -> Array:
    """Saturated shares, shape (seeds, sites), of what a sigmoid makes of finite numbers.

    It is exactly zero only at -inf, the score of what a router did not choose.
    """
    keys = [site.key for site in sites]
    shares, zeros = (case.facts.signals.at(keys, name) for name in ("saturated_fraction", "zero_fraction"))
    never = np.array([_bounds(site)[0] <= 0.0 for site in sites], dtype=bool)
    chosen = np.where(never | ~(zeros < 1.0), 1.0, 1.0 - zeros)
    return np.asarray(1.0 - (1.0 - shares) / chosen, dtype=np.float64)


def _bounds(site: Site) -> tuple[float, float]:
    bounds = None if site.activation is None else flat_beyond(site.activation)
    return (-np.inf, np.inf) if bounds is None else bounds


def _is_gate(site: Site, gates: frozenset[str]) -> bool:
    """Whether it scales another signal by a number between 0 and 1."""
    return site.key in gates and _bounds(site)[0] >= 0.0


def _inputs(case: Case, key: str) -> list[str]:
    """How wide what goes into the activation is, where a site shows it, and what would help."""
    before = given_to(case.facts.anatomy).get(key)
    rms = case.facts.signals.rms([before or ""], "forward")[:, 0]
    if before is None or not np.isfinite(rms).all():
        return []
    rms_now = wording.size(float(rms.mean()))
    help_for = "smaller weights in front of it, or a smaller input of the model, bring that to about 1"
    return [f"its input, {before}, has an RMS of {rms_now}: {help_for}"]
