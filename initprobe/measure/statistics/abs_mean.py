"""The mean absolute value: the coordinate size that width-scaling checks are drawn from (Yang et al. 2022, muP)."""

from __future__ import annotations

import math

import torch

from initprobe.measure.moments import EXACT, chunks
from initprobe.measure.reductions import Numbers, Reduction, Result, View
from initprobe.measure.statistics.base import Statistic, statistic


def absolute_sum(view: View) -> Result:
    """``[sum of |x|, number]`` over the finite elements."""
    values = view.values
    total = torch.zeros(2, dtype=torch.float64, device=values.device)
    for chunk in chunks(values, EXACT):
        finite = torch.isfinite(chunk)
        total[0] += torch.where(finite, chunk, 0.0).abs().sum(dtype=torch.float64)
        total[1] += finite.sum()
    return total.tolist() if values.device.type == "cpu" else total


def abs_mean(numbers: Numbers) -> float:
    """The mean absolute value, nan where nothing is finite."""
    return numbers[0] / numbers[1] if numbers[1] else math.nan


statistic(
    Statistic(
        "abs_mean",
        "mean absolute value of the finite elements",
        Reduction("absolute_sum", absolute_sum),
        abs_mean,
        core=False,
    )
)
