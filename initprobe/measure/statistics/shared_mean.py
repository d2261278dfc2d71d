"""How large the mean is that all units of a layer share on one sample: weights of mean zero leave next to none."""

from __future__ import annotations

import math

import torch

from initprobe.measure.reductions import Numbers, Reduction, Result, View
from initprobe.measure.statistics.base import Statistic, statistic

FEWEST = 2


def mean_over_units(view: View) -> Result:
    """``[mean square of the mean over units, scale]``: the first in units of the scale squared."""
    axis = view.tensor.dim() + (view.unit_axis or 0)
    # A sum of a few hundred float16 numbers overflows, one of float32 numbers loses nothing that counts.
    precise = view.tensor if view.tensor.dtype in (torch.float32, torch.float64) else view.tensor.float()
    means = precise.mean(axis).double()
    peak = means.abs().amax()
    peak = torch.where(peak > 0, peak, torch.ones_like(peak))
    numbers = torch.stack([(means / peak).square().mean(), peak])
    return numbers.tolist() if numbers.device.type == "cpu" else numbers


def has_units(view: View) -> bool:
    """Whether the site is the output of a weight with units to average over."""
    axis, tensor = view.unit_axis, view.tensor
    if not view.weighted or axis is None or tensor.is_complex() or tensor.dim() < -axis:
        return False
    return tensor.shape[axis] >= FEWEST


def shared_mean(numbers: Numbers) -> float:
    """The root, nan where a value is not finite."""
    root = math.sqrt(numbers[0]) * numbers[1] if math.isfinite(numbers[0]) else math.nan
    return root if math.isfinite(root) else math.nan


statistic(
    Statistic(
        "shared_mean",
        "root over samples and positions of the squared mean over a layer's units",
        Reduction("mean_over_units", mean_over_units, has_units),
        shared_mean,
        frozenset(["forward"]),
        core=False,
    )
)
