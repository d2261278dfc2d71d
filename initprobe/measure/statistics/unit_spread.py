"""How far the units of a layer differ from one another: exactly zero where their symmetry was never broken."""

import math

import torch

from initprobe.measure.reductions import Reduction, Result, View
from initprobe.measure.statistics.base import Statistic, statistic

SAMPLES = 4


def unit_range(view: View) -> Result:
    """The largest range across units, over the first samples, relative to the largest value of all."""
    tensor, axis = view.tensor, view.unit_axis or -1
    if tensor.dim() == 2:
        low, high = torch.aminmax(tensor[0])  # a sample is a row of units, and one tells
        spread = high.double() - low
    else:
        few = tensor[:SAMPLES]
        spread = (few.amax(axis).double() - few.amin(axis)).amax()  # twice the largest float16 is inf in float16
    moments = view.host_moments
    if moments is None:
        largest = view.tensor.abs().amax()
        return torch.where(largest == 0, torch.zeros_like(spread), spread / largest).reshape(1)
    peak = max(-moments[4], moments[5]) * moments[7]
    return [spread.item() / peak if peak else 0.0]


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
