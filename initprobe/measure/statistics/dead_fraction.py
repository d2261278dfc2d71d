"""The share of units that never fire: exactly zero on the whole batch.

Measured behind activations that are zero on a half-line; elsewhere a unit cannot die.
"""

import torch

from initprobe.measure.reductions import Reduction, Result, View
from initprobe.measure.statistics.base import Statistic, statistic


def dead_units(view: View) -> Result:
    """``[units that are zero on all samples, units]``; the unit axis counts from the end."""
    axis = view.tensor.dim() + (view.unit_axis or 0)
    units = view.tensor.shape[axis]
    moments = view.host_moments
    if moments is not None and moments[6] * units < moments[0]:
        return [0.0, float(units)]  # fewer zeros than one silent unit would have
    others = [other for other in range(view.tensor.dim()) if other != axis]
    highest = view.tensor.amax(others)
    if moments is not None and moments[4] >= 0:
        return [float(units - int(torch.count_nonzero(highest))), float(units)]
    silent = (highest == 0) & (view.tensor.amin(others) == 0)
    dead = silent.sum(dtype=torch.float64)
    return [dead.item(), float(units)] if moments is not None else torch.stack([dead, torch.full_like(dead, units)])


def can_die(view: View) -> bool:
    """Whether the site is an activation with a flat half-line and a unit axis."""
    if not view.can_die or view.unit_axis is None or view.tensor.is_complex():
        return False
    return view.tensor.dim() > max(1, -view.unit_axis - 1)


statistic(
    Statistic(
        "dead_fraction",
        "share of the units that are zero on the whole batch",
        Reduction("dead_units", dead_units, can_die),
        lambda dead: dead[0] / dead[1],
        frozenset(["forward"]),
    )
)
