"""Everything that mean-field theory says of one activation, in one record."""

from __future__ import annotations

import math

from initprobe.activations import moments
from initprobe.activations.base import ACTIVATIONS
from initprobe.activations.behaviour import slope_at_zero
from initprobe.activations.guide import tenfold
from initprobe.errors import UsageError
from initprobe.predict.critical import critical_points, half_stable_point, why_not_critical
from initprobe.predict.gaussian import gains_of, moments_of, rates_of
from initprobe.predict.mean_field import GRID, end_of, fixed_points, q_map
from initprobe.records import ActivationUse, FixedPoint, Theory

SLOW = 100.0
"""Layers in which a gradient may change tenfold without a word."""


def theory_of(use: ActivationUse, weight_variance: float | None = None, bias_variance: float = 0.0) -> Theory:
    """Moments, gains, fixed points, critical points and normalization rates of an activation.

    Args:
        use: the activation with its options.
        weight_variance: sigma_w², the variance of a weight times its fan_in; None for 1 / E f², which keeps a second
            moment of 1 where there are no biases.
        bias_variance: sigma_b².

    Raises:
        UsageError: the activation is unknown, an option is, it passes no signal at all, or a variance is negative or
            not finite.
    """
    for name, value in (("weight", weight_variance), ("bias", bias_variance)):
        if value is not None and not 0.0 <= value < math.inf:
            raise UsageError(f"the {name} variance is {value:g}; it is a finite number of zero or more")
    leaf = ACTIVATIONS.find(use.name)
    moments.resolved_options(use)
    if leaf.value is None:
        return Theory(str(use), leaf.summary, reason=f"{use.name} does not act on one number at a time")
    found = moments_of(use)
    weight = 1.0 / found.second if weight_variance is None else weight_variance
    points = fixed_points(use, weight, bias_variance)
    settled = end_of(points, use, weight, bias_variance)
    vanishes = bias_variance == 0.0 and moments.second_moment(use, 0.0) == 0.0
    small = weight * slope_at_zero(use) ** 2 if vanishes else math.inf
    large = q_map(use, float(GRID[-1]), weight, bias_variance) / float(GRID[-1])
    return Theory(
        activation=str(use),
        summary=leaf.summary,
        moments=found,
        gains=gains_of(use, found),
        rates=rates_of(use),
        weight_variance=weight,
        bias_variance=bias_variance,
        fixed_points=points,
        settled=settled,
        small=small,
        large=large,
        critical=critical_points(use, bias_variance),
        half_stable=half_stable_point(use),
        no_critical=why_not_critical(use, bias_variance),
        warnings=tuple(_warnings(use, points, settled, small, large)),
    )


def _warnings(
    use: ActivationUse, points: tuple[FixedPoint, ...], settled: FixedPoint | None, small: float, large: float
) -> list[str]:
    """What to know before these variances are used, the signal first."""
    told = [
        f"q = {point.q:.5g} is a watershed: an error of q is multiplied by {point.slope:.4g} per layer; a signal below "
        f"it shrinks, one above it grows"
        for point in points
        if point.stability == "repels" and point.q > 0.0
    ]
    if not any(point.q > 0.0 and point.stability != "repels" for point in points):
        told.append("no second moment above zero is both kept and stable")
    if settled is None:
        told.append(f"a signal explodes: its second moment is multiplied by {large:.4g} per layer in the end")
    elif settled.q == 0.0 and small < 1.0 - 1e-9:
        told.append(f"a signal vanishes: its second moment is multiplied by {small:.4g} per layer in the end")
    elif settled.q == 0.0:
        told.append("a signal creeps to zero, ever more slowly")
    elif (layers := tenfold(settled.chi)) < SLOW:
        told.append(
            f"the squared gradient is multiplied by {settled.chi:.4g} per layer: tenfold in RMS every {layers:.0f} "
            "layers"
        )
    if ACTIVATIONS.find(use.name).value_square is not None:
        told.append("it is random: two copies of one input differ behind it")
    return told
