"""What a parameter's values look like, from a few thousand of them: which distribution, how many values, which draw."""

from __future__ import annotations

import math

import torch

from initprobe.measure.reductions import Numbers, Reduction, Result, View
from initprobe.measure.statistics.base import STORED, Statistic, statistic

SAMPLE = 1 << 14
"""Values that are looked at: the kurtosis of normal ones is then uncertain by sqrt(24 / 2^14) = 0.04."""

GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
"""Its multiples, without their whole part, are spread evenly over (0, 1) and never repeat."""


def sampled(view: View) -> Result:
    """``[kurtosis, distinct, projection, finite]`` of evenly spread elements; what is not finite counts as zero."""
    flat = view.values.reshape(-1)
    # An odd step does not fall into one column of a matrix whose width is a power of two.
    some = flat[:: -(-flat.numel() // SAMPLE) | 1]
    values = some.cpu().double() if some.device.type == "mps" else some.double()
    finite = torch.isfinite(values)
    values = torch.where(finite, values, 0.0)
    peak = values.abs().amax()
    unit = values / torch.where(peak == 0, torch.ones_like(peak), peak)
    centred = (unit - unit.mean()).square()
    variance = centred.mean()
    kurtosis = torch.where(variance > 0, centred.square().mean() / variance.square(), math.nan)
    distinct = 1 + (unit.abs().sort().values.diff() != 0).sum()
    places = torch.arange(1, values.numel() + 1, dtype=torch.float64, device=values.device)
    projection = (unit * (places * GOLDEN).frac()).sum() * peak
    numbers = torch.stack([kurtosis, distinct.double(), projection, finite.sum().double()])
    return numbers.tolist() if numbers.device.type == "cpu" and view.values.device.type == "cpu" else numbers


def _known(place: int, numbers: Numbers) -> float:
    return numbers[place] if numbers[3] and math.isfinite(numbers[place]) else math.nan


SAMPLED = Reduction("sampled", sampled)

statistic(
    Statistic(
        "kurtosis",
        "fourth moment over the squared variance of up to 16,384 values: 1.8 uniform, 3 normal",
        SAMPLED,
        lambda numbers: _known(0, numbers),
        STORED,
        core=False,
    )
)
statistic(
    Statistic(
        "distinct",
        "number of different absolute values among up to 16,384",
        SAMPLED,
        lambda numbers: _known(1, numbers),
        STORED,
        core=False,
    )
)
statistic(
    Statistic(
        "fingerprint",
        "a fixed projection of up to 16,384 values: the same number for the same values",
        SAMPLED,
        lambda numbers: _known(2, numbers),
        STORED,
        core=False,
    )
)
