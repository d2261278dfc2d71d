"""How far the units of a layer differ from one another: exactly zero where their symmetry was never broken."""

import torch

from initprobe.measure.reductions import Reduction, Result, View
from initprobe.measure.statistics.base import Statistic, statistic

SAMPLES = 4


def unit_range(view: View) -> Result:
    """``[largest range across units, largest absolute value]`` over the first samples."""
    few = view.tensor[:SAMPLES]
    low, high = torch.aminmax(few, dim=view.unit_axis)
    numbers = torch.stack([(high - low).amax().double(), torch.maximum(-low.amin(), high.amax()).double()])
    return numbers.tolist() if numbers.device.type == "cpu" else numbers


def has_units(view: View) -> bool:
    """Whether the site is the output of a weight with at least two units."""
    return (
        view.weighted
        and view.unit_axis is not None
        and view.tensor.dim() >= -view.unit_axis + 1
        and view.tensor.shape[view.unit_axis] > 1
        and not view.tensor.is_complex()
    )


statistic(
    Statistic(
        "unit_spread",
        "largest difference between two units on one sample, relative to the largest value",
        Reduction("unit_range", unit_range, has_units),
        lambda spread: spread[0] / spread[1] if spread[1] else 0.0,
        frozenset(["forward"]),
    )
)
