"""A function of one number: E f(x)² and E f(x) f(x') of normal x and x', and E f'² on the way back.

Poole et al. 2016 (arXiv 1606.05340, eq. 3 and 5) and Schoenholz et al. 2017 (arXiv 1611.01232, eq. 7 and 9). What comes
from a residual stream has a mean, which the normal distribution is centred on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from initprobe.activations import moments as gaussian
from initprobe.predict import pairs
from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.marginal import Marginal, Unread, applied, largest_of, normal_values, thinned
from initprobe.predict.moments import Gradient, Moments, NoPredictionError
from initprobe.records import ActivationUse, Signal

DIGITS = 3
"""Digits of means, deviations and correlations that are told apart: layers that are alike share their integrals."""


@law
class ActivationLaw(Law):
    """Every elementwise activation of the room ``activations``."""

    effects = ("activation",)

    def forward(self, call: Call) -> Moments:
        """Its moments."""
        use, known = _use(call), call.moments(Signal(_source(call)))
        centre, variance, left = centred(known)
        mean, second = gaussian.moments_around(use, centre, variance)
        cosines = {value: _cosine(value, known) for value in (known.position, known.pair, known.both)}
        products = {value: pairs.product(use, variance, cosine, centre) for value, cosine in cosines.items()}
        noise = _noise(use, centre, variance, second) * known.alike(call.positions, call.facts.samples) ** 0.5
        found = Moments(
            second=second,
            position=products[known.position],
            pair=products[known.pair],
            both=products[known.both],
            mean=mean,
            spread=max(0.0, known.spread + noise / max(1, call.units)),
            marginal=Unread(use, centre, variance),
        ).rescaled(left)
        return found if known.marginal is None else _reshaped(use, known.marginal.read(), found)

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """The gradient times f'."""
        use, source = _use(call), _source(call)
        known = call.moments(Signal(source))
        centre, variance, _ = centred(known)
        slope = gaussian.derivative_moments_around(use, centre, variance)[1]
        shared = pairs.derivative_product(use, variance, _cosine(known.position, known), centre)
        noise = gaussian.derivative_fourth_moment(use, variance, centre) / slope**2 - 1.0 if slope > 0.0 else 0.0
        noise *= known.alike(call.positions, call.facts.samples) ** 0.5
        if known.marginal is not None or gradient.largest > 1 or gradient.profile:
            marginal = None if known.marginal is None else known.marginal.read()
            slope = _slope(use, gradient, marginal, (centre, variance))
        spread = gradient.spread + max(0.0, noise) / max(1, call.units)
        return {source: Gradient(gradient.second * slope, gradient.position * shared, spread, passed=use)}


def _slope(use: ActivationUse, gradient: Gradient, marginal: Marginal | None, normal: tuple[float, float]) -> float:
    """E g² f'² over E g², where the gradient is not the same for all values, or the values are not normal."""
    values = normal_values(*normal) if marginal is None else marginal.values()
    weights = largest_of(gradient.largest, values.size)
    if gradient.profile:
        behind = applied(use)(values)
        atoms = thinned(behind).atoms
        if len(atoms) == len(gradient.profile):
            weights = weights * np.interp(behind, atoms, gradient.profile)
            weights /= weights.sum()
    return float((applied(use, "derivative")(values) ** 2 * weights).sum())


def _reshaped(use: ActivationUse, before: Marginal, found: Moments) -> Moments:
    """The moments of an input that is not normal; what places share keeps the part that it has of a normal one's."""
    values = applied(use)(before.values())
    mean, second = float(values.mean()), float((values**2).mean())
    spare = found.second - found.mean**2

    def common(value: float) -> float:
        part = (value - found.mean**2) / spare if spare > 0.0 else 1.0
        return mean**2 + part * (second - mean**2)

    return replace(
        found,
        second=second,
        position=common(found.position),
        pair=common(found.pair),
        both=common(found.both),
        mean=mean,
        marginal=thinned(values),
    )


def centred(known: Moments) -> tuple[float, float, float]:
    """Mean and variance of the normal distribution that has a value's moments, to ``DIGITS``, and what they leave.

    The last number is the second moment over the rounded one: most activations hand it on, ReLU exactly, so that
    rounding does not add up along a deep network.
    """
    deviation = max(0.0, known.second - known.mean**2) ** 0.5
    centre = _rounded(known.mean) if abs(known.mean) > 10.0**-DIGITS * deviation else 0.0
    variance = _rounded(deviation) ** 2
    whole = variance + centre**2
    return centre, variance, known.second / whole if whole > 0.0 else 1.0


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _cosine(covariance: float, known: Moments) -> float:
    """The correlation of two values with that second moment in common, to ``DIGITS``."""
    variance = known.second - known.mean**2
    if variance <= 0.0:
        return 1.0
    return round(max(-1.0, min(1.0, (covariance - known.mean**2) / variance)), DIGITS)


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
