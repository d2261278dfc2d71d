"""The phase diagram: where two inputs come together and where they part, over weight and bias variance.

Every curve is parametric in the fixed point q, and in the correlation gap where inputs part, so that no equation has to
be solved for a point on it: sigma_w² = q (1 - c) / (E f² - E f(x) f(y)) and sigma_b² = q - sigma_w² E f² (Schoenholz et
al. 2017, arXiv 1611.01232, figure 1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from initprobe.activations import moments
from initprobe.activations.base import Array
from initprobe.errors import UsageError
from initprobe.predict.critical import critical_at, critical_points, is_scale_free, why_not_critical
from initprobe.predict.hermite import deficits, derivative_products
from initprobe.predict.mean_field import settled
from initprobe.records import ActivationUse, CriticalPoint, Curve, PhaseDiagram

BIAS_LIMIT = 0.5
MARGIN = 1.6
"""How far beyond the critical line the weight axis goes."""

GREATEST = 10.0
"""Weight variance up to which an axis is stretched for the sake of explosions."""

DEPTHS = (2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""Depth scales whose contours are drawn."""

Q_GRID = np.logspace(-5.0, 4.0, 181)
"""Fixed points along the curves: twenty to a decade."""

GAPS = np.concatenate([np.geomspace(0.01, 0.5, 40), np.linspace(0.5, 1.0 - 1e-12, 41)[1:]])
"""1 - c along the contours of the chaotic phase; nearer to 1 the series has not converged, and a contour ends."""

FARTHEST = 300.0
"""The largest fixed point along a contour of the chaotic phase: the series follows none beyond."""

BEYOND = 1.5
"""How far curves are followed beyond the axes, so that they leave the figure at its edge."""

COLUMNS, ROWS = 161, 101
LEVELS = 50
"""Critical points at even bias variances, beside those at even q."""


def phase_diagram(
    use: ActivationUse, weight_limit: float | None = None, bias_limit: float = BIAS_LIMIT
) -> PhaseDiagram:
    """Phases, the critical line and contours of the depth scale xi_c of an activation.

    Args:
        use: the activation with its options.
        weight_limit: the largest sigma_w²; None for one that holds what there is to see.
        bias_limit: the largest sigma_b².

    Raises:
        NotElementwiseError: the activation does not act on one number at a time.
        UsageError: it is unknown, an option is, or an axis does not end at a finite number above zero.
    """
    for name, end in (("weight", weight_limit), ("bias", bias_limit)):
        if end is not None and not 0.0 < end < math.inf:
            raise UsageError(f"the axis of {name} variances ends at {end:g}; it is a finite number above zero")
    limit = weight_limit or _limit(use, bias_limit)
    weights, biases = np.linspace(0.0, limit, COLUMNS), np.linspace(0.0, bias_limit, ROWS)
    seconds = np.array([moments.second_moment(use, float(q)) for q in Q_GRID])
    slopes = np.array([moments.derivative_second_moment(use, float(q)) for q in Q_GRID])
    largest = settled(use, limit, bias_limit)
    chaotic = _chaotic_grid(largest.q if largest is not None else float(Q_GRID[-1]))
    parting = _parting(use, chaotic)
    return PhaseDiagram(
        activation=str(use),
        weight_variance=tuple(map(float, weights)),
        bias_variance=tuple(map(float, biases)),
        chi=tuple(tuple(_settled(weights, float(bias), seconds, slopes)) for bias in biases),
        critical=_critical_line(use, limit, bias_limit),
        contours=tuple(
            curve
            for depth in DEPTHS
            for curve in (
                *_ordered(use, depth, seconds, slopes, (limit, bias_limit)),
                *_chaotic(use, depth, chaotic, parting, (limit, bias_limit)),
            )
        ),
        note=why_not_critical(use, 0.0) if not _stable_line(use, bias_limit) else "",
    )


def _limit(use: ActivationUse, bias_limit: float) -> float:
    """A weight variance beyond the critical line, and beyond the one from which on signals explode."""
    points = [point for bias in (0.0, bias_limit) for point in critical_points(use, bias)[:1]]
    ends = [(1.1 if point.stability == "repels" else MARGIN) * point.weight_variance for point in points]
    q = float(Q_GRID[-1])
    explodes = q / moments.second_moment(use, q)
    return max([*ends, MARGIN * explodes] if explodes < GREATEST else ends, default=MARGIN * 2.0)


def _settled(weights: Array, bias: float, seconds: Array, slopes: Array) -> list[float]:
    """chi_1 where a second moment of 1 ends, for each weight variance; infinite where it explodes."""
    start = int(np.searchsorted(Q_GRID, 1.0))
    found = []
    for weight in weights:
        change = weight * seconds + bias - Q_GRID
        if change[start] > 0.0:
            ahead = np.flatnonzero(change[start:] <= 0.0) + start
            place = int(ahead[0]) if ahead.size else -1
        else:
            behind = np.flatnonzero(change[:start] > 0.0)
            place = int(behind[-1]) + 1 if behind.size else 0
        if place < 0:
            found.append(math.inf)
            continue
        low = max(place - 1, 0)
        share = 0.0 if place == low else float(change[low] / (change[low] - change[place]))
        found.append(float(weight * (slopes[low] + share * (slopes[place] - slopes[low]))))
    return found


def _critical_line(use: ActivationUse, limit: float, bias_limit: float) -> tuple[Curve, ...]:
    """Points with chi_1 = 1: at even q, and at even bias variances, in stretches that are stable or are not."""
    if is_scale_free(use):
        return tuple(_curve([point]) for point in critical_points(use))
    points = [critical_at(use, float(q)) for q in Q_GRID]
    for bias in np.linspace(0.0, bias_limit, LEVELS + 1):
        points += critical_points(use, float(bias))
    inside = sorted((one for one in points if _inside(one, limit, bias_limit)), key=lambda one: one.q)
    curves, run = [], inside[:1]
    for point in inside[1:]:
        if (point.stability == "repels") != (run[-1].stability == "repels") or point.q > 2.0 * run[-1].q > 0.0:
            curves.append(run)
            run = [point] if point.q > 2.0 * run[-1].q > 0.0 else [run[-1], point]
        else:
            run.append(point)
    return tuple(_curve(run) for run in [*curves, run] if len(run) > 1)


def _inside(point: CriticalPoint, limit: float, bias_limit: float) -> bool:
    return 0.0 <= point.weight_variance <= limit and -1e-12 <= point.bias_variance <= bias_limit * (1.0 + 1e-9)


def _curve(points: Sequence[CriticalPoint]) -> Curve:
    return Curve(
        "critical",
        math.inf,
        points[-1].stability != "repels",
        tuple(one.weight_variance for one in points),
        tuple(max(one.bias_variance, 0.0) for one in points),
        tuple(one.q for one in points),
    )


def _stable_line(use: ActivationUse, bias_limit: float) -> bool:
    biases = np.linspace(0.0, bias_limit, 5)
    return any(not why_not_critical(use, float(bias)) for bias in biases)


def _ordered(
    use: ActivationUse, depth: float, seconds: Array, slopes: Array, limits: tuple[float, float]
) -> list[Curve]:
    """Where chi_1 = exp(-1 / depth): c* = 1 there, and chi_1 is the slope of the c-map."""
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = math.exp(-1.0 / depth) / slopes
        biases = Q_GRID - weights * seconds
    return _stretches("ordered", use, depth, (Q_GRID, weights, biases), limits)


def _chaotic_grid(largest: float) -> Array:
    """Fixed points along the contours of the chaotic phase, up to that of its farthest corner."""
    end = min(1.1 * largest, FARTHEST)
    return np.unique(np.concatenate([np.linspace(0.0, end, 81)[1:], np.geomspace(1e-3 * end, end, 40)]))


def _parting(use: ActivationUse, grid: Array) -> tuple[Array, Array]:
    """sigma_w² at each fixed point q and gap 1 - c*, and the slope of the c-map there; both shape (q, gap)."""
    weights, slopes = np.full((grid.size, GAPS.size), np.nan), np.full((grid.size, GAPS.size), np.nan)
    for place, q in enumerate(map(float, grid)):
        shared = deficits(use, q, GAPS)
        if (shared > 0.0).all():  # f passes something at this q
            weights[place] = q * GAPS / shared
            slopes[place] = weights[place] * derivative_products(use, q, GAPS)
    return weights, slopes


def _chaotic(
    use: ActivationUse, depth: float, grid: Array, parting: tuple[Array, Array], limits: tuple[float, float]
) -> list[Curve]:
    """Where sigma_w² E f'(x) f'(y) = exp(-1 / depth) at c* < 1, gap by gap: q turns back along it, c* does not."""
    weights, slopes = parting
    found = []
    for gap in range(GAPS.size):
        excess = slopes[:, gap] - math.exp(-1.0 / depth)
        at = np.flatnonzero((excess[:-1] > 0.0) != (excess[1:] > 0.0))
        at = at[np.isfinite(excess[at] + excess[at + 1])][:1]
        for low in map(int, at):
            share = float(excess[low] / (excess[low] - excess[low + 1]))
            q, weight = (float(one[low] + share * (one[low + 1] - one[low])) for one in (grid, weights[:, gap]))
            found.append((q, weight, _bias(q, weight, moments.second_moment(use, q))))
    curve = np.array(found).reshape(-1, 3).T
    return _stretches("chaotic", use, depth, (curve[0], curve[1], curve[2]), limits)


def _bias(q: float, weight: float, second: float) -> float:
    """sigma_b² of a fixed point; what interpolation leaves of a zero is zero."""
    bias = q - weight * second
    return 0.0 if abs(bias) < 1e-3 * q else bias


def _stretches(
    kind: Literal["ordered", "chaotic"],
    use: ActivationUse,
    depth: float,
    points: tuple[Array, Array, Array],
    limits: tuple[float, float],
) -> list[Curve]:
    """The parts of a curve (q, sigma_w², sigma_b²) within the limits on which a signal of second moment 1 ends."""
    q, weights, biases = points
    weight_limit, bias_limit = (BEYOND * limit for limit in limits)
    inside = np.isfinite(weights) & (weights <= weight_limit) & (biases >= 0.0) & (biases <= bias_limit)
    for place in np.flatnonzero(inside):
        inside[place] = _is_end(use, float(q[place]), float(weights[place]), float(biases[place]))
    found = np.flatnonzero(inside)
    runs = np.split(found, np.flatnonzero(np.diff(found) > 1) + 1) if found.size else []
    curves = []
    for run in runs:
        first, last = int(run[0]), int(run[-1])
        ends = (_at_zero(points, first - 1, first), _at_zero(points, last + 1, last))
        stretch = [ends[0], *((float(q[at]), float(weights[at]), float(biases[at])) for at in run), ends[1]]
        kept = [point for point in stretch if point is not None]
        if len(kept) > 1:
            own, weight, bias = zip(*kept, strict=True)
            curves.append(Curve(kind, depth, stable=True, weight_variance=weight, bias_variance=bias, q=own))
    return curves


def _is_end(use: ActivationUse, q: float, weight: float, bias: float) -> bool:
    """Whether a second moment of 1 ends at this fixed point: none that repels lies between."""
    if weight * moments.second_moment_slope(use, q) >= 1.0:
        return False
    between = Q_GRID[(min(q, 1.0) * 1.02 < Q_GRID) & (max(q, 1.0) / 1.02 > Q_GRID)]
    changes = [weight * moments.second_moment(use, float(one)) + bias - float(one) for one in between]
    return all(change < 0.0 for change in changes) if q < 1.0 else all(change > 0.0 for change in changes)


def _at_zero(points: tuple[Array, Array, Array], outside: int, inside: int) -> tuple[float, float, float] | None:
    """Where a curve meets the axis between a point below it and one above, or None where it does not."""
    q, weights, biases = points
    if not 0 <= outside < q.size or not (np.isfinite(biases[outside]) and biases[outside] < 0.0):
        return None
    share = biases[inside] / (biases[inside] - biases[outside])
    return (
        float(q[inside] + share * (q[outside] - q[inside])),
        float(weights[inside] + share * (weights[outside] - weights[inside])),
        0.0,
    )
