"""Where a network is critical: chi_1 = 1 at a fixed point of the second moment, so that no gradient grows or shrinks.

With q as the parameter both conditions are explicit: sigma_w² = 1 / E f'², sigma_b² = q - E f² / E f'² (Schoenholz et
al. 2017, arXiv 1611.01232, section 3). The critical line is that curve where sigma_b² is not negative.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from initprobe.activations import moments
from initprobe.activations.behaviour import slope_at_zero
from initprobe.predict.mean_field import MARGIN, NOISE
from initprobe.predict.roots import brackets, root
from initprobe.records import ActivationUse, CriticalPoint, Stability

GRID = np.logspace(-8.0, 5.0, 131)
"""Fixed points that a critical point may have: ten to a decade."""

FLAT = 1e-9
"""Slope at zero up to which an activation passes nothing of a vanishing signal."""


def critical_at(use: ActivationUse, q: float) -> CriticalPoint:
    """The variances for which q is a fixed point with chi_1 = 1; the bias variance is negative where there are none.

    Raises:
        NotElementwiseError: the activation does not act on one number at a time.
        UsageError: it is unknown, or an option is.
    """
    if q == 0.0:
        weight = slope_at_zero(use) ** -2.0
        changes = (weight * moments.second_moment(use, float(one)) / float(one) - 1.0 for one in GRID)
        first = next((change for change in changes if abs(change) > NOISE), 0.0)
        return CriticalPoint(weight, 0.0, q, 1.0, "repels" if first > 0.0 else "attracts")
    slopes = moments.derivative_second_moment(use, q)
    if slopes == 0.0:
        return CriticalPoint(math.inf, math.nan, q, math.nan, "repels")
    weight = 1.0 / slopes
    bias = q - weight * moments.second_moment(use, q)
    slope = weight * moments.second_moment_slope(use, q)
    return CriticalPoint(weight, bias, q, slope, _stability(slope))


def critical_points(use: ActivationUse, bias_variance: float = 0.0) -> tuple[CriticalPoint, ...]:
    """Every critical point with this bias variance and a fixed point up to 1e5, those where a signal stays first.

    Raises:
        NotElementwiseError: the activation does not act on one number at a time.
        UsageError: it is unknown, or an option is.
    """
    if is_scale_free(use):
        return (CriticalPoint(1.0 / moments.derivative_second_moment(use), 0.0, 1.0, 1.0, "neutral"),) * (
            bias_variance == 0.0
        )

    def distance(log_q: float) -> float:
        q = math.exp(log_q)
        return critical_at(use, q).bias_variance / q - bias_variance / q

    logs = [float(log) for log in np.log(GRID)]
    found = [critical_at(use, math.exp(root(distance, *ends))) for ends in _sign_changes(distance, logs)]
    if bias_variance == 0.0 and moments.second_moment(use, 0.0) == 0.0 and slope_at_zero(use) > FLAT:
        found.insert(0, critical_at(use, 0.0))
    stays = ("attracts", "half-stable")
    return tuple(sorted(found, key=lambda point: (point.stability not in stays, point.q)))


def half_stable_point(use: ActivationUse) -> CriticalPoint | None:
    """Where chi_1 = 1 and dq'/dq = 1 at once with a bias variance above zero, or None.

    Roberts, Yaida & Hanin 2021 (arXiv 2106.10165), section 5.3.4: for activations whose map of q is unstable without
    biases it is the nearest to criticality that there is.

    Raises:
        NotElementwiseError: the activation does not act on one number at a time.
        UsageError: it is unknown, or an option is.
    """
    if is_scale_free(use):
        return None

    def difference(log_q: float) -> float:
        q = math.exp(log_q)
        return critical_at(use, q).slope - 1.0

    logs = [float(log) for log in np.log(GRID)]
    for ends in _sign_changes(difference, logs):
        point = critical_at(use, math.exp(root(difference, *ends)))
        if point.bias_variance > NOISE:
            return point
    return None


def why_not_critical(use: ActivationUse, bias_variance: float = 0.0) -> str:
    """Why no signal stays at a critical point with this bias variance; empty where one does.

    Raises:
        NotElementwiseError: the activation does not act on one number at a time.
        UsageError: it is unknown, or an option is.
    """
    points = critical_points(use, bias_variance)
    if points and points[0].stability != "repels":
        return ""
    if points:
        return _repelling(points[0])
    if is_scale_free(use):
        return "every bias adds to the second moment at chi_1 = 1, layer after layer: it grows without end"
    least = _least_bias(use)
    if least is None or least <= bias_variance:
        return "chi_1 = 1 has no fixed point of the second moment with a bias variance of zero or more"
    return f"chi_1 = 1 asks for a bias variance of {least:.6g} or more"


def is_scale_free(use: ActivationUse) -> bool:
    """Whether f(c z) = c f(z) for c > 0, so that every second moment keeps its share."""
    shares = [moments.second_moment(use, q) / q for q in (1e-6, 1.0, 1e6)]
    return max(shares) - min(shares) < NOISE * max(shares)


def _repelling(point: CriticalPoint) -> str:
    if point.q == 0.0:
        return (
            f"chi_1 tends to 1 for a vanishing signal at sigma_w² = {point.weight_variance:.6g}, but there a signal "
            "grows away from zero"
        )
    return (
        f"chi_1 = 1 at q = {point.q:.6g} (sigma_w² = {point.weight_variance:.6g}), but the map of q repels there: an "
        f"error of q is multiplied by {point.slope:.5g} per layer"
    )


def _least_bias(use: ActivationUse) -> float | None:
    """The smallest bias variance of a critical point that there is, or None."""
    found = [critical_at(use, float(q)) for q in GRID]
    biases = [point.bias_variance for point in found if point.bias_variance > NOISE and point.stability != "repels"]
    return min(biases, default=None)


def _stability(slope: float) -> Stability:
    if abs(slope - 1.0) < MARGIN:
        return "half-stable"
    return "attracts" if slope < 1.0 else "repels"


def _sign_changes(function: Callable[[float], float], points: list[float]) -> list[tuple[float, float]]:
    """Between which of the points a function changes its sign; those where it is too near zero to tell are passed."""
    values = [function(point) for point in points]
    told = [place for place, value in enumerate(values) if not abs(value) <= NOISE]
    return brackets([points[place] for place in told], [values[place] for place in told])
