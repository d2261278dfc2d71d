"""The share of values at which an activation is flat: its slope is below 5 % of the largest one.

Measured behind activations that are flat at both ends (tanh, sigmoid, hardtanh ...), and read off their values: where
the slope of a monotone function is small, its value is beyond a bound.
"""

import math

import numpy as np
import torch

from initprobe.measure.moments import FAST, chunks
from initprobe.measure.reductions import Reduction, Result, View
from initprobe.measure.statistics.base import Statistic, statistic

NUMPY = frozenset([torch.float32, torch.float64])
"""What numpy can compare: it counts several times faster than torch."""


def saturated(view: View) -> Result:
    """``[values at or beyond the bounds, finite values]``."""
    low, high = view.flat or (-math.inf, math.inf)
    moments, values = view.host_moments, view.values
    if moments is None:
        finite = torch.isfinite(values)
        flat = finite & ((values <= low) | (values >= high))
        return torch.stack([flat.sum(dtype=torch.float64), finite.sum(dtype=torch.float64)])
    finite_values, smallest, largest, scale = moments[1], moments[4], moments[5], moments[7]
    if low < smallest * scale and largest * scale < high:
        return [0.0, finite_values]
    outside = 0
    for chunk in chunks(values, FAST):
        size = chunk.numel()
        numbers = chunk if chunk.dtype in NUMPY else view.workspace.copy[:size].copy_(chunk)
        outside += _beyond(numbers.numpy(), low, high, view.workspace.flags[:size])
    return [float(outside), finite_values]


def _beyond(values: np.ndarray, low: float, high: float, flags: np.ndarray) -> int:
    """Finite values at or beyond the bounds."""
    infinite = int(np.count_nonzero(np.isinf(values, out=flags)))
    below = int(np.count_nonzero(np.less_equal(values, low, out=flags)))
    return below + int(np.count_nonzero(np.greater_equal(values, high, out=flags))) - infinite


def can_saturate(view: View) -> bool:
    """Whether the site is an activation that is flat at both ends."""
    return view.flat is not None and not view.tensor.is_complex()


statistic(
    Statistic(
        "saturated_fraction",
        "share of an activation's values at which its slope is below 5 % of its maximum",
        Reduction("saturated", saturated, can_saturate),
        lambda counts: counts[0] / counts[1] if counts[1] else math.nan,
        frozenset(["forward"]),
        core=False,
    )
)
