"""How the magnitudes are spread over powers of two: where a narrower dtype would overflow or underflow."""

from __future__ import annotations

import torch

from initprobe.measure.moments import FAST, chunks
from initprobe.measure.reductions import Reduction, Result, View
from initprobe.measure.statistics.base import SIGNALS, Statistic, statistic
from initprobe.records import Counts

BINS = 256
"""One per exponent of float32: bin b counts values with floor(log2|x|) = b - 127."""


def exponent_counts(view: View) -> Result:
    """Counts per exponent; bin 0 holds zeros and what is below 2^-126, bin 255 what is not finite."""
    values = view.values
    counts = torch.zeros(BINS, dtype=torch.int64, device=values.device)
    for chunk in chunks(values, FAST):
        # Converting float64 rounds what float32 cannot hold to infinity or zero, which are the outer bins.
        bits = chunk.float().resolve_neg().view(torch.int32)
        bins = torch.bitwise_right_shift(bits, 23).bitwise_and_(BINS - 1)
        if counts.device.type == "cpu":
            counts += torch.bincount(bins, minlength=BINS)
        else:  # bincount would wait for the largest bin to come home
            counts.scatter_add_(0, bins.long(), torch.ones_like(bins, dtype=torch.int64))
    numbers = counts.double()
    # Most bins are empty: one zero for all of them takes a quarter of the memory of so many equal ones.
    return [number or 0.0 for number in numbers.tolist()] if counts.device.type == "cpu" else numbers


statistic(
    Statistic(
        "exponents",
        "counts of values per power of two (256 bins, bin b is 2^(b - 127))",
        Reduction("exponent_counts", exponent_counts),
        Counts,
        SIGNALS,
        core=False,
    )
)
