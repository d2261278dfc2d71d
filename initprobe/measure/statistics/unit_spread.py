"""How far the units of a layer differ from one another: exactly zero where their symmetry was never broken."""

import math

import torch

from initprobe.measure.reductions import Reduction, Result, View
from initprobe.measure.statistics.base import Statistic, statistic

SAMPLES = 4


def unit_range(view: View) -> Result:
    """The largest range across units, over the first samples, relative to the largest value of all."""
    tensor, axis, moments, array = view.tensor, view.unit_axis or -1, view.moments, view.array
    if isinstance(moments, torch.Tensor):
        peaks = torch.maximum(-moments[4], moments[5]) * moments[7]
        return torch.where(peaks == 0, 0.0, _range(tensor, axis) / peaks).reshape(1)
    peak = max(-moments[4], moments[5]) * moments[7]
    if peak == 0:
        return [0.0]
    if tensor.dim() == 2:  # a row of units is a sample, and one tells
        low, high = torch.aminmax(tensor[0]) if array is None else (array[0].min(), array[0].max())
        spread = high.item() - low.item()
    else:
        spread = _range(tensor[:SAMPLES], axis).item()
    if spread == 0:  # unless it is silent
        spread = _range(tensor, axis).item()
    return [spread / peak]


def _range(tensor: torch.Tensor, axis: int) -> torch.Tensor:
    # Twice the largest float16 is inf in float16.
    return (tensor.amax(axis).double() - tensor.amin(axis)).amax()


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
        lambda spread: spread[0] if math.isfinite(spread[0]) else math.nan,
        frozenset(["forward"]),
    )
)
