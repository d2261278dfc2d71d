"""How alike the signals of two different inputs are: their cosine and their distance.

Where the distance falls and the RMS does not, what is left of the signal no longer depends on the input: it is bias.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from initprobe.measure.moments import LARGE, SAFE, row_products, square_sum
from initprobe.measure.reductions import Numbers, Reduction, Result, View
from initprobe.measure.statistics.base import Statistic, Subject, statistic

PAIRS = 8
"""Pairs per batch: sample i of the first PAIRS with sample i of the next ones."""

ELEMENTS = 1 << 21
"""Elements in all pairs together, so that large feature maps of large batches cost no more than small ones."""

LONG = 1 << 11
"""Elements from which on a sample is worth a call of its own, which allocates less and rounds less."""

TINY = 1e-25
"""A sum of float32 squares below this may have lost some of them to underflow."""

UNLIKE = 1e4
"""Of two squared norms further apart, the difference says little about the cosine in float32."""

FORWARD: frozenset[Subject] = frozenset(["forward"])


def has_pairs(view: View) -> bool:
    """Whether the site is on a signal's way (an activation has no geometry of its own), and axis 0 counts samples."""
    batch = view.batch
    shape = view.tensor.shape
    return view.on_stream and batch is not None and batch >= 2 and len(shape) > 0 and shape[0] == batch


def pair_geometry(view: View) -> Result:
    """``[mean cosine, RMS of x_a - x_b]`` over pairs of samples; a pair with a zero has no cosine."""
    values, array = view.values, view.array
    size = values.numel() // values.shape[0]
    number = min(values.shape[0] // 2, PAIRS, max(4, ELEMENTS // (2 * size)))
    moments = view.host_moments
    if array is not None and moments is not None and _safe(moments):
        samples = np.ascontiguousarray(array[: 2 * number].reshape(2 * number, size))
        numbers = _fast_geometry(samples, number)
        if numbers is not None:
            return numbers
    wide = values[: 2 * number].reshape(2 * number, size).double()
    return _exact_geometry(wide[:number], wide[number:])


def _safe(moments: Numbers) -> bool:
    count, finite, mean, m2 = moments[:4]
    return count == finite and SAFE[0] < mean * mean + m2 / count and max(-moments[4], moments[5]) < LARGE


def _fast_geometry(samples: NDArray[np.float32], number: int) -> list[float] | None:
    """In float32, the pairs put together in float64; None where that may have lost too many digits."""
    size = samples.shape[1]
    if size < LONG:
        gaps = samples[:number] - samples[number:]
        squares = [*row_products(samples, samples).tolist(), *row_products(gaps, gaps).tolist()]
    else:
        one_by_one = (a - b for a, b in zip(samples[:number], samples[number:], strict=True))
        squares = [square_sum(row) for rows in (samples, one_by_one) for row in rows]
    if min(squares) < TINY:
        return None
    cosines = 0.0
    left, right, apart = squares[:number], squares[number : 2 * number], squares[2 * number :]
    for a, b, c in zip(left, right, apart, strict=True):
        if max(a, b) > UNLIKE * min(a, b):
            return None
        cosines += (a + b - c) / math.sqrt(a * b)
    return [max(-1.0, min(1.0, cosines / (2 * number))), math.sqrt(sum(apart) / (number * size))]


def _exact_geometry(left: torch.Tensor, right: torch.Tensor) -> Result:
    # Scaled by the largest value, so that squares of 1e-200 or 1e200 stay in range; NaN and inf pass through.
    scale = torch.maximum(left.abs().amax(), right.abs().amax())
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    left, right = left / scale, right / scale
    gap = (left - right).square().sum(1)
    norms = left.square().sum(1).sqrt() * right.square().sum(1).sqrt()
    cosine = ((left * right).sum(1) / norms).clamp(-1.0, 1.0).nanmean()
    cosine = torch.where(torch.isfinite(gap).all(), cosine, math.nan)
    numbers = torch.stack([cosine, (gap.mean() / left.shape[1]).sqrt() * scale])
    return numbers.tolist() if numbers.device.type == "cpu" else numbers


GEOMETRY = Reduction("pair_geometry", pair_geometry, has_pairs)

statistic(Statistic("cosine", "mean cosine between the values of two inputs", GEOMETRY, lambda pair: pair[0], FORWARD))
statistic(
    Statistic(
        "pair_distance",
        "RMS over elements of the difference between the values of two inputs",
        GEOMETRY,
        lambda pair: pair[1],
        FORWARD,
    )
)
