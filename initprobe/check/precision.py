"""What a narrow floating-point type would make of the values: counts per power of two against its range."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from initprobe.check.signals import Array, Direction, Signals
from initprobe.records import CheckRequest

BIAS = 127
"""Bin b of the statistic ``exponents`` counts values from 2^(b - 127) on; the first and the last hold the rest."""


@dataclass(frozen=True, slots=True)
class Format:
    """The range of a floating-point type (IEEE 754-2019, table 3.5; bfloat16 has float32's exponents).

    Attributes:
        largest: finite value.
        normal: exponent of the smallest value with all its digits.
        smallest: exponent of the smallest value at all; what is below its half becomes zero.
    """

    largest: float
    normal: int
    smallest: int


FORMATS: Mapping[str, Format] = {
    "float16": Format(65504.0, -14, -24),
    "bfloat16": Format((2 - 2.0**-7) * 2.0**127, -126, -133),
}


def planned(request: CheckRequest) -> bool:
    """Whether it is known that the network is going to run in another type than it is probed in."""
    return request.precision is not None


def over(counts: Array, narrow: Format) -> Array:
    """The share of the values of each seed that are certain to overflow, shape (seeds,); counts are (seeds, 256)."""
    first = math.floor(math.log2(narrow.largest)) + 1 + BIAS
    total = counts[:, :-1].sum(axis=1)
    return _share(counts[:, first:-1].sum(axis=1), total)


def lost(counts: Array, zeros: Array, narrow: Format, scale: int = 0) -> Array:
    """The share of the values of each seed, zeros apart, that would become zero, shape (seeds,).

    Args:
        counts: per power of two, shape (seeds, 256).
        zeros: how many are zero already, shape (seeds,).
        narrow: the type.
        scale: the exponent of a factor that is put on the values first.
    """
    gone = narrow.smallest - 2 - scale + BIAS
    tiny = np.maximum(counts[:, 0] - zeros, 0.0)
    below = counts[:, 1 : max(1, min(gone + 1, counts.shape[1] - 1))].sum(axis=1)
    return _share(tiny * (gone >= 0) + below, counts[:, :-1].sum(axis=1) - zeros)


def loss_scale(largest: float, narrow: Format) -> int:
    """The exponent of the largest power of two that leaves gradients up to ``largest`` in range."""
    return math.floor(math.log2(narrow.largest / largest))


def exponents(signals: Signals, key: str, direction: Direction) -> tuple[Array, Array] | None:
    """The counts of a site's values per power of two, (seeds, 256), and of its zeros, (seeds,).

    None where they were not measured, or where every value is zero.
    """
    rows = []
    for sites in signals.sites:
        site = sites.get(key)
        statistics = None if site is None else site.forward if direction == "forward" else site.backward
        row = None if statistics is None else statistics.get("exponents")
        if not isinstance(row, tuple):
            return None
        rows.append(row)
    counts = np.array(rows, dtype=np.float64)
    zeros = signals.at([key], "zero_fraction", direction)[:, 0] * counts[:, :-1].sum(axis=1)
    zeros = np.minimum(np.nan_to_num(np.round(zeros)), counts[:, 0])
    return (counts, zeros) if len(counts) and (counts[:, :-1].sum(axis=1) > zeros).all() else None


def _share(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
