"""Signals in a wide random network, layer after layer: second moment, correlation of two inputs, gradient.

Pre-activations z of a layer with W_ij ~ N(0, sigma_w² / fan_in) and b ~ N(0, sigma_b²), q = E z² (Poole et al. 2016,
arXiv 1606.05340; Schoenholz et al. 2017, arXiv 1611.01232). A convolution obeys the same maps with fan_in = channels x
taps (Xiao et al. 2018, arXiv 1806.05393); ``convolution`` says what padding takes away.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from initprobe.activations import moments
from initprobe.activations.behaviour import slope_at_zero
from initprobe.predict import pairs
from initprobe.predict.roots import brackets, root
from initprobe.records import ActivationUse, FixedPoint, Phase, Stability

GRID = np.logspace(-10.0, 8.0, 181)
"""Second moments among which fixed points are looked for: ten to a decade."""

NOISE = 1e-12
"""Relative change of q per layer that quadrature cannot tell from none."""

TOUCH = 1e-9
"""Relative change of q per layer, at its smallest, up to which the map touches the diagonal."""

CLOSE, CUTS = 1e-3, 8
"""Relative change of q per layer below which the grid is made finer, and how much finer."""

MARGIN = 1e-9
"""How near to 1 a factor per layer counts as 1."""

NEAREST = 1e-11
"""The smallest 1 - c at which a correlation below 1 is told from 1."""

TRAINABLE = 6.0
"""Depth scales over which a signal can still be told from its limit (Schoenholz et al. 2017, section 4)."""


def q_map(use: ActivationUse, q: float, weight_variance: float, bias_variance: float = 0.0) -> float:
    """The second moment one layer on, sigma_w² E f(√q z)² + sigma_b² (Poole et al. 2016, eq. 3).

    Raises:
        NotElementwiseError: the activation does not act on one number at a time.
        UsageError: it is unknown, or an option is.
    """
    return weight_variance * moments.second_moment(use, q) + bias_variance


def q_slope(use: ActivationUse, q: float, weight_variance: float) -> float:
    """dq'/dq = sigma_w² (E f'² + E f f''); raises like ``q_map``."""
    if q == 0.0:
        return weight_variance * slope_at_zero(use) ** 2
    return weight_variance * moments.second_moment_slope(use, q)


def c_map(use: ActivationUse, c: float, q: float, weight_variance: float, bias_variance: float = 0.0) -> float:
    """The correlation one layer on of inputs of second moment q (Poole et al. 2016, eq. 5); raises like ``q_map``."""
    shared = weight_variance * pairs.product(use, q, c) + bias_variance
    return shared / q_map(use, q, weight_variance, bias_variance)


def gap_map(use: ActivationUse, gap: float, q: float, weight_variance: float, bias_variance: float = 0.0) -> float:
    """1 - c one layer on, from 1 - c, with all its digits; raises like ``q_map``."""
    return weight_variance * pairs.deficit(use, q, gap) / q_map(use, q, weight_variance, bias_variance)


def chi(use: ActivationUse, q: float, weight_variance: float) -> float:
    """chi_1 = sigma_w² E f'(√q z)², the slope of the c-map at c = 1 (Poole et al. 2016, eq. 7); raises like ``q_map``.

    The squared norm of a gradient is multiplied by chi_1 n_out / n_in per layer on its way back, and that of a weight's
    gradient is in proportion to the second moment in front of it times that behind.
    """
    return weight_variance * moments.derivative_second_moment(use, q)


def fixed_points(use: ActivationUse, weight_variance: float, bias_variance: float = 0.0) -> tuple[FixedPoint, ...]:
    """Every second moment between 1e-10 and 1e8 that a layer reproduces, and zero where it does; smallest first.

    Raises:
        NotElementwiseError: the activation does not act on one number at a time.
        UsageError: it is unknown, or an option is.
    """

    def change(log_q: float) -> float:
        q = math.exp(log_q)
        return q_map(use, q, weight_variance, bias_variance) / q - 1.0

    logs = _refined(change, [float(log) for log in np.log(GRID)])
    changes = [value if abs(value) > NOISE else 0.0 for value in map(change, logs)]
    if not any(changes):
        return (describe(use, 1.0, weight_variance, "neutral"),)
    found: list[tuple[float, Stability]] = []
    if bias_variance == 0.0 and moments.second_moment(use, 0.0) == 0.0:
        rising = next(value for value in changes if value) > 0.0
        found.append((0.0, "repels" if rising else "attracts"))
    found += [(q, "half-stable") for q in _touching(use, weight_variance, bias_variance, logs)]
    changing = [place for place, value in enumerate(changes) if value]  # a root may lie on the grid
    for low, high in brackets([logs[place] for place in changing], [changes[place] for place in changing]):
        q = math.exp(root(change, low, high))
        found.append((q, "attracts" if change(low) > 0.0 else "repels"))
    return tuple(describe(use, q, weight_variance, kind) for q, kind in sorted(found))


def describe(use: ActivationUse, q: float, weight_variance: float, stability: Stability) -> FixedPoint:
    """What happens around a fixed point of the second moment; raises like ``fixed_points``."""
    slope, gradient = q_slope(use, q, weight_variance), chi(use, q, weight_variance)
    gap = angle = depth = None
    if q == 0.0:
        gradient = slope
    else:
        gap = correlation_gap(use, q, weight_variance)
        angle = gradient - weight_variance * pairs.derivative_deficit(use, q, gap)
        depth = depth_scale(angle)
    return FixedPoint(
        q=q,
        stability=stability,
        slope=slope,
        chi=gradient,
        phase=phase_of(gradient),
        correlation=None if gap is None else 1.0 - gap,
        correlation_slope=angle,
        depth_q=depth_scale(slope),
        depth_c=depth,
        depth_gradient=depth_scale(gradient),
        trainable_depth=None if depth is None or stability == "repels" else TRAINABLE * depth,
    )


def correlation_gap(use: ActivationUse, q: float, weight_variance: float) -> float:
    """1 - c* at a fixed point q > 0: 0 where two inputs come together; raises like ``fixed_points``.

    c* is the only fixed point of the c-map in [0, 1) that attracts, for the map is convex there; there is one where
    chi_1 > 1. In terms of the gap it does not depend on the bias: sigma_w² (E f² - E f(x) f(y)) = q (1 - c).
    """

    def change(gap: float) -> float:
        return weight_variance * pairs.deficit(use, q, gap) / (q * gap) - 1.0

    shares_all = pairs.deficit(use, q, 0.0) == 0.0  # not so where f is random itself
    if shares_all and (chi(use, q, weight_variance) <= 1.0 + MARGIN or change(NEAREST) <= NOISE):
        return 0.0
    if change(1.0) > -NOISE:
        return 1.0
    return math.exp(root(lambda log: change(math.exp(log)), math.log(NEAREST), 0.0, 1e-13))


def depth_scale(factor: float) -> float:
    """Layers over which a power of the factor changes by e: 1 / abs(ln factor); infinite at 1, none at 0."""
    if factor <= 0.0:
        return 0.0
    return math.inf if abs(factor - 1.0) < MARGIN else 1.0 / abs(math.log(factor))


def phase_of(chi_1: float) -> Phase:
    """The phase that a gradient factor belongs to."""
    if abs(chi_1 - 1.0) < MARGIN:
        return "critical"
    return "ordered" if chi_1 < 1.0 else "chaotic"


def settled(
    use: ActivationUse, weight_variance: float, bias_variance: float = 0.0, start: float = 1.0
) -> FixedPoint | None:
    """Where a second moment ends, layer after layer; None where it explodes. Raises like ``fixed_points``."""
    return end_of(fixed_points(use, weight_variance, bias_variance), use, weight_variance, bias_variance, start)


def end_of(
    points: tuple[FixedPoint, ...], use: ActivationUse, weight_variance: float, bias_variance: float, start: float = 1.0
) -> FixedPoint | None:
    """Which of the fixed points a second moment ends at; None where it explodes. Raises like ``fixed_points``."""
    if points and points[0].stability == "neutral":
        return describe(use, start, weight_variance, "neutral")
    after = q_map(use, start, weight_variance, bias_variance)
    there = [point for point in points if abs(point.q - start) < MARGIN * start]
    if there and abs(after / start - 1.0) < MARGIN:
        return there[0]
    rising = after > start
    ahead = [point for point in points if point.q > start] if rising else [p for p in points if p.q <= start][::-1]
    return ahead[0] if ahead else None


def _refined(change: Callable[[float], float], logs: list[float]) -> list[float]:
    """The same points, and more of them where the map runs along the diagonal and may meet it twice between two."""
    changes = [abs(change(log)) for log in logs]
    cells = zip(pairwise(logs), pairwise(changes), strict=True)
    close = [ends for ends, sizes in cells if NOISE < min(sizes) < CLOSE]
    return sorted({*logs, *(float(log) for ends in close for log in np.linspace(*ends, CUTS + 1)[1:-1])})


def _touching(use: ActivationUse, weight_variance: float, bias_variance: float, logs: list[float]) -> list[float]:
    """Second moments at which the map touches the diagonal from one side: q'/q is extreme there, and 1."""

    def tilt(log_q: float) -> float:
        q = math.exp(log_q)
        return q_slope(use, q, weight_variance) - q_map(use, q, weight_variance, bias_variance) / q

    tilts = [value if abs(value) > NOISE else math.nan for value in map(tilt, logs)]
    extremes = [math.exp(root(tilt, low, high)) for low, high in brackets(logs, tilts)]
    return [q for q in extremes if abs(q_map(use, q, weight_variance, bias_variance) / q - 1.0) < TOUCH]
