"""Gaussian expectations of an activation for many units at once, each around a mean of its own.

The trapezoidal rule: for a function that is analytic near the real line, and a normal weight, its error falls like
exp(-2π d / h) with d the distance of the nearest pole (Trefethen & Weideman 2014, The exponentially convergent
trapezoidal rule, section 5). A rectifier has closed forms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from initprobe.activations.base import ACTIVATIONS, Array
from initprobe.predict.moments import NoPredictionError

REACH = 7.0
"""Standard deviations that are integrated; what lies beyond weighs less than 1e-11."""

STEP = 0.4
"""Distance of nodes, in standard deviations: the weight alone is integrated to 1e-50."""

NEAR = 0.5
"""Distance of nodes, in units of the argument: tanh has a pole at πi/2, which leaves errors of 1e-6."""

TINY = 1e-300
"""Variances below it are taken for it."""

FARTHEST = 38.0
"""Standard deviations behind which a normal tail is below the smallest number there is."""

MOST = 1500
"""Nodes for one expectation at most."""


@dataclass(frozen=True, slots=True)
class Bent:
    """What a function makes of a normal value: E f, E f², E f' and E f'², in the shape of the means."""

    mean: Array
    second: Array
    slope: Array
    slope_second: Array
    variance: Array
    order: int

    def echo(self, covariance: Array) -> Array:
        """E f f' for two arguments with that covariance: exact where they are independent, and where they are one.

        Hermite's polynomials give E f f' = Σ c_n² ρⁿ / n!; the first two terms are exact, and all others are taken for
        the next one, which is the third for a function that is odd, and the second for a rectifier.
        """
        correlation = np.clip(covariance / np.maximum(self.variance, TINY), -1.0, 1.0)
        rest = np.maximum(self.second - self.mean**2 - self.slope**2 * self.variance, 0.0)
        return self.mean**2 + self.slope**2 * self.variance * correlation + rest * correlation**self.order


def bent(name: str, centre: Array, variance: Array) -> Bent:
    """Expectations of the activation ``name`` over N(centre, variance).

    Args:
        name: ``sigmoid``, ``tanh`` or ``relu``.
        centre: means, of any shape.
        variance: variances, in a shape that is broadcast to that of the means.

    Raises:
        NoPredictionError: the values are so far apart that no grid follows the function.
    """
    deviation = np.sqrt(np.maximum(variance, 0.0))
    if name == "relu":
        return _rectified(centre, deviation)
    widest = float(deviation.max(initial=0.0))
    distance = min(STEP, NEAR / widest) if widest > 0.0 else STEP
    if not REACH / distance < MOST / 2:
        raise NoPredictionError(f"its gates are driven by values of ±{widest:.1g}: all of them are shut or wide open")
    nodes = np.arange(-math.floor(REACH / distance), math.floor(REACH / distance) + 1) * distance
    weights = np.exp(-0.5 * nodes**2)
    weights /= weights.sum()
    leaf = ACTIVATIONS.find(name)
    assert leaf.value is not None and leaf.derivative is not None  # noqa: PT018 all three have both
    x = centre[..., None] + deviation[..., None] * nodes
    value, slope = leaf.value(x), leaf.derivative(x)
    expected = (value @ weights, value**2 @ weights, slope @ weights, slope**2 @ weights)
    return Bent(*expected, np.maximum(variance, 0.0), 3)


def _rectified(centre: Array, deviation: Array) -> Bent:
    """Cho & Saul 2009, with a mean: E max(0, x), E max(0, x)² and P(x > 0)."""
    deviation = np.broadcast_to(deviation, centre.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        edge = np.where(deviation > 0.0, centre / deviation, np.sign(centre) * np.inf)
    edge = np.clip(np.nan_to_num(edge), -FARTHEST, FARTHEST)
    open_part = np.where((deviation == 0.0) & (centre == 0.0), 0.0, _below(edge))
    density = np.exp(-0.5 * edge**2) / math.sqrt(2.0 * math.pi)
    mean = centre * open_part + deviation * density
    second = (centre**2 + deviation**2) * open_part + centre * deviation * density
    return Bent(mean, np.maximum(second, 0.0), open_part, open_part, deviation**2, 2)


def _below(x: Array) -> Array:
    """P(z < x) of a standard normal z."""
    found: Array = np.vectorize(lambda one: 0.5 * math.erfc(-one / math.sqrt(2.0)), otypes=[float])(x)
    return found
