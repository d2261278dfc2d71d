"""Singular values of a weight: what a layer does to the longest, the shortest and the typical direction.

Near zero a tanh layer is its matrix, so that these are the singular values of its Jacobian (Glorot & Bengio 2010,
section 4.2.1). A square matrix of independent values with variance v / n has a mean singular value of
8 sqrt(v) / (3 pi), that of the quarter circle, where its RMS is sqrt(v).
"""

from __future__ import annotations

import math
from operator import itemgetter

import torch

from initprobe.measure.reductions import Reduction, Result, View
from initprobe.measure.statistics.base import Statistic, Subject, statistic

PARAMETER: frozenset[Subject] = frozenset(["parameter"])


def is_matrix(view: View) -> bool:
    """Whether it has rows and columns; those of a kernel are (out, in times taps)."""
    return view.tensor.dim() > 1 and view.tensor.is_floating_point()


def singular_values(view: View) -> Result:
    """``[mean, largest, smallest]`` of the min(rows, columns) singular values, nan where a value is not finite."""
    matrix = view.values.flatten(1)
    # On Apple's devices there is neither float64 nor a decomposition.
    matrix = matrix.cpu().double() if matrix.device.type == "mps" else matrix.double()
    finite = torch.isfinite(matrix)
    values = torch.linalg.svdvals(torch.where(finite, matrix, 0.0))
    found = torch.stack([values.mean(), values.amax(), values.amin()])
    found = torch.where(finite.all(), found, math.nan)
    return found.tolist() if found.device.type == "cpu" else found


SINGULAR_VALUES = Reduction("singular_values", singular_values, is_matrix)

statistic(
    Statistic(
        "singular_value_mean",
        "mean singular value of a weight as a matrix (the first axis by all others)",
        SINGULAR_VALUES,
        itemgetter(0),
        PARAMETER,
        core=False,
    )
)
statistic(
    Statistic(
        "singular_value_max",
        "largest singular value of a weight as a matrix: its spectral norm",
        SINGULAR_VALUES,
        itemgetter(1),
        PARAMETER,
        core=False,
    )
)
statistic(
    Statistic(
        "singular_value_min",
        "smallest singular value of a weight as a matrix",
        SINGULAR_VALUES,
        itemgetter(2),
        PARAMETER,
        core=False,
    )
)
