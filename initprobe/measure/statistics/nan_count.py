"""How many elements of a parameter or a buffer are no number: infinities may be meant (a mask), these never are."""

from __future__ import annotations

import torch

from initprobe.measure.moments import FAST, chunks
from initprobe.measure.reductions import Reduction, Result, View
from initprobe.measure.statistics.base import STORED, Statistic, statistic


def counted(view: View) -> Result:
    """``[number of NaN]``."""
    known = view.host_moments
    if known is not None and known[0] == known[1]:
        return [0.0]
    values = view.values
    total = torch.zeros(1, dtype=torch.float64, device="cpu" if values.device.type == "mps" else values.device)
    for chunk in chunks(values, FAST):
        total += torch.isnan(chunk).sum().to(total.device)
    return total.tolist() if values.device.type == "cpu" else total


statistic(
    Statistic(
        "nan_count",
        "number of elements that are NaN",
        Reduction("nan_count", counted),
        lambda numbers: numbers[0],
        STORED,
        core=False,
    )
)
