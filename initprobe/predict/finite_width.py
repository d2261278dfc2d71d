"""What a finite width adds to the theory of infinite ones: how far one draw of the weights may be from the mean.

Behind a layer of n units with independent normal weights the pre-activations are n independent draws, so that the
second moment of their activations over its expectation, r, has the mean 1 and the variance (E f⁴ / (E f²)² - 1) / n:
5 / n for relu, 2 / n without an activation (Hanin & Rolnick 2018, arXiv 1803.01719; Hanin & Nica 2018, arXiv
1812.05994).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from initprobe.activations import moments
from initprobe.predict import pairs
from initprobe.records import ActivationUse

SERIES = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)
"""B_2k / 2k, the coefficients of digamma's asymptotic series in 1 / x²."""

LARGE = 8.0
"""From here on that series has all its digits."""

EXACT = 4096
"""Units up to which binomial sums are added term by term; beyond, -5 / 2n and 5 / n differ from them by 1e-3 of it."""


@dataclass(frozen=True, slots=True)
class LogNorm:
    """Mean and variance of the logarithm of a squared norm, over draws of the weights."""

    mean: float
    variance: float


def hanin_beta(widths: Sequence[int]) -> float:
    """The sum of reciprocal widths, which alone decides how far a rectifier network strays (Hanin & Rolnick 2018)."""
    return math.fsum(1.0 / width for width in widths)


def spread(use: ActivationUse, q: float = 1.0, c: float = 1.0) -> float:
    """E f(x)² f(y)² / (E f²)² - 1 for x, y ~ N(0, q) with correlation c.

    Over n, it is the covariance of the second moments that two inputs have behind one layer, relative to their mean;
    at c = 1 the variance of one.

    Raises:
        NotElementwiseError: the activation does not act on one number at a time.
        UsageError: it is unknown, or an option is.
    """
    return pairs.square_product(use, q, c) / moments.second_moment(use, q) ** 2 - 1.0


def rectifier_log_norm(widths: Sequence[int]) -> LogNorm:
    """Log ‖h_L‖² / ‖h_0‖² of a relu network with weight variance 2 / fan_in and no biases, given that it is not dead.

    Exact: a layer multiplies by (2 / n) chi²_K with K ~ Binomial(n, ½) active units, whose logarithm has the mean
    E psi(K / 2) + ln(4 / n) and the variance E psi'(K / 2) + Var psi(K / 2).
    """
    return _summed([_rectifier_layer(width) for width in widths])


def linear_log_norm(widths: Sequence[int]) -> LogNorm:
    """Log ‖h_L‖² / ‖h_0‖² of a linear network with weight variance 1 / fan_in: a layer multiplies by chi²_n / n."""
    return _summed([LogNorm(digamma(n / 2) + math.log(2 / n), trigamma(n / 2)) for n in widths])


def log_variance(widths: Sequence[int], spread_per_unit: float, contraction: float = 1.0) -> float:
    """Variance of log q over draws, layer after layer, to first order in 1 / n.

    Every layer adds its own spread / n, and what came before is multiplied by the square of d ln q' / d ln q: 1 for
    rectifiers, less where a fixed point attracts.

    Args:
        widths: units of each layer.
        spread_per_unit: of one layer, as ``spread`` gives it.
        contraction: d ln q' / d ln q; at a fixed point it is dq'/dq.
    """
    variance = 0.0
    for width in widths:
        variance = contraction**2 * variance + spread_per_unit / width
    return variance


def seed_band(
    widths: Sequence[int], spread_per_unit: float = 5.0, contraction: float = 1.0, deviations: float = 2.0
) -> tuple[float, float]:
    """Factors on a predicted RMS between which a draw of the weights leaves the measured one.

    The logarithm of the RMS is normal. Its standard deviation is half that of log q; as E q is kept, its mean is minus
    a quarter of the variance of log q.

    Args:
        widths: units of each layer on the way.
        spread_per_unit: as ``spread`` gives it; 5 for relu, 2 for a linear network, that of the inputs' correlation for
            a mean over many inputs.
        contraction: as in ``log_variance``.
        deviations: standard deviations on either side; 2 hold 95 % of all draws.
    """
    variance = log_variance(widths, spread_per_unit, contraction)
    centre, half = -variance / 4.0, deviations * math.sqrt(variance) / 2.0
    return math.exp(centre - half), math.exp(centre + half)


def dead_probability(widths: Sequence[int]) -> float:
    """How likely it is that one input kills a whole layer of a relu network without biases: 1 - Π (1 - 2^-n)."""
    return -math.expm1(math.fsum(math.log1p(-(2.0**-width)) for width in widths))


def digamma(x: float) -> float:
    """The logarithmic derivative of the gamma function for x > 0 (DLMF 5.5.2 and 5.11.2)."""
    shift = 0.0
    while x < LARGE:
        shift -= 1.0 / x
        x += 1.0
    tail = sum(coefficient * x ** (-2 * power) for power, coefficient in enumerate(SERIES, 1))
    return shift + math.log(x) - 0.5 / x - tail


def trigamma(x: float) -> float:
    """The derivative of digamma for x > 0 (DLMF 5.15.5 and 5.15.8)."""
    shift = 0.0
    while x < LARGE:
        shift += x**-2.0
        x += 1.0
    tail = sum(2 * power * coefficient * x ** (-2 * power - 1) for power, coefficient in enumerate(SERIES, 1))
    return shift + 1.0 / x + 0.5 / x**2 + tail


def _rectifier_layer(width: int) -> LogNorm:
    if width > EXACT:
        return LogNorm(-2.5 / width, 5.0 / width)
    log_half = math.log(0.5)
    chances = [
        math.exp(math.lgamma(width + 1) - math.lgamma(k + 1) - math.lgamma(width - k + 1) + width * log_half)
        for k in range(1, width + 1)
    ]
    total = math.fsum(chances)
    chances = [chance / total for chance in chances]
    centres = [digamma(k / 2) for k in range(1, width + 1)]
    mean = math.fsum(chance * centre for chance, centre in zip(chances, centres, strict=True))
    within = math.fsum(chance * trigamma(k / 2) for k, chance in enumerate(chances, 1))
    between = math.fsum(chance * (centre - mean) ** 2 for chance, centre in zip(chances, centres, strict=True))
    return LogNorm(mean + math.log(4.0 / width), within + between)


def _summed(layers: Sequence[LogNorm]) -> LogNorm:
    return LogNorm(math.fsum(layer.mean for layer in layers), math.fsum(layer.variance for layer in layers))
