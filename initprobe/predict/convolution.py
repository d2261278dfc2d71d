"""Convolutions in mean-field theory: the maps of a dense layer, less what padding leaves empty."""

from __future__ import annotations

import math
from collections.abc import Sequence


def coverage(
    sizes: Sequence[int],
    kernel: Sequence[int],
    *,
    padding: Sequence[int],
    stride: Sequence[int] | None = None,
    dilation: Sequence[int] | None = None,
) -> float:
    """The mean share of a kernel's taps that lie inside the image, over all outputs: a factor on the weight variance.

    Circular, reflecting and repeating padding leave no tap empty: 1.

    Args:
        sizes: the image, one number per axis.
        kernel: taps per axis.
        padding: zeros on either side, per axis.
        stride: per axis, default 1.
        dilation: per axis, default 1.

    Raises:
        ValueError: the kernel does not fit into the padded image.
    """
    axes = zip(sizes, kernel, padding, stride or [1] * len(sizes), dilation or [1] * len(sizes), strict=True)
    return math.prod(_inside(*axis) for axis in axes)


def diffused_share(kernel: int, layers: int) -> float:
    """The share of one pixel's energy that is still in its place, on a ring without end (Xiao et al. 2018, section 3).

    Independent taps average the energy over the kernel, layer after layer; delta-orthogonal ones leave it where it is.

    Args:
        kernel: taps, on one axis, an odd number.
        layers: how many.
    """
    energy = [1.0]
    for _ in range(layers):
        wide = [0.0] * (kernel - 1) + energy + [0.0] * (kernel - 1)
        energy = [math.fsum(wide[at : at + kernel]) / kernel for at in range(len(energy) + kernel - 1)]
    return energy[len(energy) // 2]


def _inside(size: int, kernel: int, padding: int, stride: int, dilation: int) -> float:
    last = size + 2 * padding - dilation * (kernel - 1) - 1
    if last < 0:
        raise ValueError(f"a kernel of {kernel} taps does not fit into {size} pixels and twice {padding} zeros")
    outputs = last // stride + 1
    return sum(joined(size, outputs, kernel, stride, padding, dilation)) / (outputs * kernel)


def joined(size: int, outputs: int, kernel: int, stride: int, padding: int, dilation: int) -> list[int]:
    """For every tap of one axis, at how many output positions it falls inside the image."""
    starts = [position * stride - padding for position in range(outputs)]
    return [sum(0 <= start + tap * dilation < size for start in starts) for tap in range(kernel)]
