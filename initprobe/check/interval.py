"""Means with honest intervals over few values: Student's t, without scipy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from initprobe.records import Estimate

CONFIDENCE = 0.95
"""The level of every interval that is shown; a verdict may use a higher one (repeated looks)."""


class Interval(NamedTuple):
    """A mean with its two-sided confidence interval."""

    mean: float
    low: float
    high: float


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and 95 % t-interval over seeds.

    Only finite values count; with one of them the interval is the value itself, with none everything is nan.
    ``per_seed`` keeps all of them, in order.
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return Estimate(math.nan, math.nan, math.nan, tuple(values))
    return Estimate(*t_interval(finite, CONFIDENCE), per_seed=tuple(values))


def t_interval(values: Sequence[float], confidence: float) -> Interval:
    """Mean and Student-t interval of finite values; a single value is its own interval.

    Raises:
        ValueError: there is no value.
    """
    if len(values) == 0:
        raise ValueError("an interval needs a value")
    # Dividing by the largest magnitude keeps the squares of 1e200 finite and those of 1e-200 above zero.
    scale = max(abs(value) for value in values) or 1.0
    scaled = [value / scale for value in values]
    number = len(scaled)
    middle = math.fsum(scaled) / number
    mean = middle * scale
    if number == 1:
        return Interval(mean, mean, mean)
    deviation = math.sqrt(math.fsum((value - middle) ** 2 for value in scaled) / (number - 1))
    half = student_t((1 + confidence) / 2, number - 1) * deviation / math.sqrt(number) * scale
    return Interval(mean, mean - half, mean + half)


@lru_cache(maxsize=1024)
def student_t(probability: float, freedom: int) -> float:
    """The quantile of Student's t distribution.

    Args:
        probability: strictly between 0 and 1.
        freedom: degrees of freedom, at least 1.

    Raises:
        ValueError: an argument is out of range.
    """
    if not 0.0 < probability < 1.0 or freedom < 1:
        raise ValueError(f"no t quantile at probability {probability} with {freedom} degrees of freedom")
    if probability < 0.5:
        return -student_t(1.0 - probability, freedom)
    tail = 2.0 * (1.0 - probability)
    low, high = 0.0, 1.0
    while _two_sided_tail(high, freedom) > tail:
        low, high = high, 2.0 * high
    while high - low > 1e-13 * high:
        middle = (low + high) / 2.0
        if middle in (low, high):
            break
        if _two_sided_tail(middle, freedom) > tail:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def _two_sided_tail(t: float, freedom: int) -> float:
    """P(|T| > t) = I_x(freedom / 2, 1 / 2) at x = freedom / (freedom + t²) (Abramowitz & Stegun 26.7.1)."""
    return _incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function (Abramowitz & Stegun 26.5.8), on the side where its fraction is fast."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    front = math.exp(log_front)
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _beta_fraction(x, a, b) / a
    return 1.0 - front * _beta_fraction(1.0 - x, b, a) / b


def _beta_fraction(x: float, a: float, b: float) -> float:
    """The continued fraction behind the incomplete beta function, by the modified Lentz method."""
    tiny = 1e-300
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1.0) or tiny)
    fraction = d
    for m in range(1, 1000):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for numerator in (even, odd):
            d = 1.0 / (1.0 + numerator * d or tiny)
            c = 1.0 + numerator / c or tiny
            fraction *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return fraction
