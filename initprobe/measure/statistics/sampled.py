"""What a parameter's values look like, from a few thousand of them: which distribution, how many values, which draw."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from initprobe.measure.reductions import Numbers, Reduction, Result, View
from initprobe.measure.statistics.base import STORED, Statistic, statistic

SAMPLE = 1 << 14
"""Values that are looked at: the kurtosis of normal ones is then uncertain by sqrt(24 / 2^14) = 0.04."""

COMPARED = 1 << 10
"""Values that are compared with one another: sorting is dear."""

GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
"""Its multiples, without their whole part, are spread evenly over (0, 1) and never repeat."""


PLACES = np.modf(np.arange(1, SAMPLE + 1) * GOLDEN)[0]
"""What each value of the sample counts for in the projection."""


def sampled(view: View) -> Result:
    """``[kurtosis, distinct, projection, finite]`` of evenly spread elements; what is not finite counts as zero."""
    flat = view.values.reshape(-1)
    some = flat[:: _step(len(flat), SAMPLE)]
    if view.host_moments is None:
        return _on_device(some)
    # On the host numpy: most parameters are so small that torch's calls cost more than their arithmetic.
    values: NDArray[np.float64] = some.double().numpy()
    finite = np.isfinite(values)
    unit = np.where(finite, values, 0.0)
    peak = float(np.abs(unit).max())
    unit /= peak or 1.0
    centred = (unit - unit.mean()) ** 2
    variance = float(centred.mean())
    kurtosis = float((centred**2).mean()) / variance**2 if variance**2 > 0 else math.nan
    distinct = 1 + int(np.count_nonzero(np.diff(np.sort(np.abs(unit[:: _step(len(unit), COMPARED)])))))
    projection = float((unit * PLACES[: unit.size]).sum()) * peak
    return [kurtosis, distinct, projection, int(np.count_nonzero(finite))]


def _step(size: int, most: int) -> int:
    """From one element to the next, at most so many of them; odd, so that they do not fall into one column."""
    return -(-size // most) | 1


def _on_device(some: torch.Tensor) -> torch.Tensor:
    """The same without a look at any value."""
    values = some.cpu().double() if some.device.type == "mps" else some.double()
    finite = torch.isfinite(values)
    values = torch.where(finite, values, 0.0)
    peak = values.abs().amax()
    unit = values / torch.where(peak == 0, torch.ones_like(peak), peak)
    centred = (unit - unit.mean()).square()
    squared = centred.mean().square()
    kurtosis = torch.where(squared > 0, centred.square().mean() / squared, math.nan)
    distinct = 1 + (unit[:: _step(len(unit), COMPARED)].abs().sort().values.diff() != 0).sum()
    projection = (unit * torch.from_numpy(PLACES).to(unit.device)[: len(unit)]).sum() * peak
    return torch.stack([kurtosis, distinct.double(), projection, finite.sum().double()])


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
        "number of different absolute values among up to 1,024",
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
