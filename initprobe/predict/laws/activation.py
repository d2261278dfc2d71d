"""A function of one number: E f(x)² and E f(x) f(x') of normal x and x', and E f'² on the way back.

Poole et al. 2016 (arXiv 1606.05340, eq. 3 and 5) and Schoenholz et al. 2017 (arXiv 1611.01232, eq. 7 and 9). What comes
from a residual stream has a mean, which the normal distribution is centred on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from initprobe.activations import moments as gaussian
from initprobe.predict import pairs
from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.moments import Gradient, Moments, NoPredictionError, Origin
from initprobe.records import ActivationUse, Signal

DIGITS = 4
"""Digits of means, variances and correlations that are told apart: layers that are alike share their integrals."""


@law
class ActivationLaw(Law):
    """Every elementwise activation of the room ``activations``."""

    effects = ("activation",)

    def forward(self, call: Call) -> Moments:
        """Its moments."""
        use, known = _use(call), call.moments(Signal(_source(call)))
        centre, variance = centred(known)
        mean, second = gaussian.moments_around(use, centre, variance)
        products = {
            covariance: _product(pairs.product, use, variance, covariance, centre, second)
            for covariance in {known.position, known.pair, known.both}
        }
        noise = _noise(use, centre, variance, second) * known.alike(call.positions, call.facts.samples) ** 0.5
        return Moments(
            second=second,
            position=products[known.position],
            pair=products[known.pair],
            both=products[known.both],
            mean=mean,
            spread=max(0.0, known.spread + noise / max(1, call.units)),
            origin=Origin(use, centre, variance),
        )

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """The gradient times f'."""
        use, source = _use(call), _source(call)
        known = call.moments(Signal(source))
        centre, variance = centred(known)
        slope = gaussian.derivative_moments_around(use, centre, variance)[1]
        shared = _product(pairs.derivative_product, use, variance, known.position, centre, slope)
        return {source: Gradient(gradient.second * slope, gradient.position * shared, gradient.spread)}


def centred(known: Moments) -> tuple[float, float]:
    """Mean and variance of the normal distribution that has a value's moments, to ``DIGITS``."""
    deviation = max(0.0, known.second - known.mean**2) ** 0.5
    centre = known.mean if abs(known.mean) > 10.0**-DIGITS * deviation else 0.0
    return _rounded(centre), _rounded(deviation) ** 2


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _product(
    expectation: Callable[[ActivationUse, float, float, float], float],
    use: ActivationUse,
    variance: float,
    covariance: float,
    centre: float,
    whole: float,
) -> float:
    """E f(x) f(x') of two values with that second moment in common."""
    if variance <= 0.0:
        return whole
    cosine = max(-1.0, min(1.0, (covariance - centre**2) / variance))
    return expectation(use, variance, round(cosine, DIGITS), centre)


def _noise(use: ActivationUse, centre: float, variance: float, second: float) -> float:
    """What a unit adds to the variance of log E f², beyond the 2 of the normal value that went in."""
    if second <= 0.0:
        return 0.0
    return gaussian.fourth_moment_around(use, centre, variance) / second**2 - 1.0 - 2.0


def _use(call: Call) -> ActivationUse:
    if call.step.activation is None:
        raise NoPredictionError("nothing tells which activation it is")
    return call.step.activation


def _source(call: Call) -> int:
    return call.step.sources[0]
