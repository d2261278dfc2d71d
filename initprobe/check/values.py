"""What the values of a parameter look like, over all seeds: their size, whether they are one number, whether drawn."""

from __future__ import annotations

import math

import numpy as np

from initprobe.check.case import Case
from initprobe.check.signals import Array
from initprobe.records import Weight

SAME = 1e-6
"""Standard deviation over RMS of values that are one number, whatever float32 made of it on the way."""

FEW = 8
"""A draw has more different values; identities, Hadamard matrices, bilinear kernels and signs have at most so many."""

SAMPLING = 4.0
"""Standard errors that a measured variance may lie off what was drawn: a network has many weights."""

ROUNDED = 0.02
"""What the variance may lie off besides: constants of schemes are quoted with three digits, bfloat16 holds no more."""


def size_of(weight: Weight) -> int:
    """Number of its elements."""
    return math.prod(weight.shape)


def typical(values: Array) -> float | None:
    """The geometric mean over seeds, None where one of them is not positive and finite."""
    if not len(values) or not (np.isfinite(values) & (values > 0)).all():
        return None
    return math.exp(float(np.log(values).mean()))


def std_of(case: Case, weight: Weight) -> float | None:
    """The standard deviation of a parameter's values over the seeds, None where it has none."""
    if "parametrizations" in weight.name or is_constant(case, weight):
        return None
    return typical(case.facts.signals.value(weight.name, "std"))


def variance_error(case: Case, weight: Weight) -> float:
    """How far the variance over all seeds may lie off what was drawn, relative to it: normal values, independent."""
    draws = 1 if case.facts.one_draw else case.seeds
    return ROUNDED + SAMPLING * math.sqrt(2.0 / (size_of(weight) * draws))


def is_constant(case: Case, weight: Weight) -> bool:
    """Whether it is one number, not zero, in every seed."""
    std, rms = (case.facts.signals.value(weight.name, name) for name in ("std", "rms"))
    return bool(len(rms)) and bool(((rms > 0) & (std <= SAME * rms)).all())


def is_drawn(case: Case, weight: Weight) -> bool:
    """Whether its values are as many different ones as only a random draw has, in every seed."""
    distinct = case.facts.signals.value(weight.name, "distinct")
    return bool(len(distinct)) and bool((distinct > FEW).all()) and not is_constant(case, weight)
