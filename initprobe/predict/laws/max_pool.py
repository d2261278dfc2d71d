"""Max pooling: the largest of k values of one activation, whose normal inputs share what positions share.

For a function that never falls, max f(x_i) = f(max x_i), and the largest of k independent normal values has the density
k φ Φ^(k-1). What the inputs have in common, they have outside of the maximum.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from initprobe.activations.base import ACTIVATIONS
from initprobe.activations.moments import resolved_options
from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.moments import Gradient, Moments, NoPredictionError, Origin

GRID = np.linspace(-8.0, 8.0, 4001)
COMMON = np.polynomial.hermite_e.hermegauss(24)


@law
class MaxPool(Law):
    """Max pooling of a signal, behind an activation or none."""

    names = (*(f"max_pool{n}d" for n in (1, 2, 3)), *(f"max_pool{n}d_with_indices" for n in (1, 2, 3)))

    def forward(self, call: Call) -> Moments:
        """Its moments."""
        known, number = call.moments(call.step.args[0]), self._number(call)
        origin = known.origin
        cosine = 0.0
        spare = known.second - known.mean**2
        if spare > 0.0:
            cosine = min(1.0, max(0.0, (known.position - known.mean**2) / spare))
        mean, second = largest(origin, known, number, cosine)

        # Two maxima have at least their means in common; what else, in proportion to what the values had.
        def common(value: float) -> float:
            part = (value - known.mean**2) / spare if spare > 0.0 else 1.0
            return mean**2 + part * (second - mean**2)

        return Moments(second, common(known.position), common(known.pair), common(known.both), mean, known.spread)

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """To the largest of each window."""
        source = call.step.sources[0]
        share = call.share(source)
        return {source: gradient.scaled(share, min(1.0, share))}

    def _number(self, call: Call) -> int:
        size = call.given("input", "kernel_size").get("kernel_size")
        rank = int(call.step.name.removesuffix("_with_indices")[-2])
        sizes = size if isinstance(size, tuple) else (size,)
        number = 1
        for extent in sizes * rank if len(sizes) == 1 else sizes:
            if not isinstance(extent, (int, float)):
                raise NoPredictionError("its window has no size")
            number *= int(extent)
        return number


def largest(origin: Origin | None, known: Moments, number: int, cosine: float) -> tuple[float, float]:
    """Mean and second moment of the largest of so many values.

    Args:
        origin: the activation that made them; None for normal values.
        known: their moments.
        number: how many.
        cosine: correlation between two of them, from 0 to 1.
    """
    centre = known.mean if origin is None else origin.centre
    variance = known.second - known.mean**2 if origin is None else origin.variance
    below = np.array([0.5 * math.erfc(-z / math.sqrt(2.0)) for z in GRID])
    chance = np.diff(below**number)
    middle = 0.5 * (GRID[1:] + GRID[:-1])
    nodes, weights = COMMON
    scale = math.sqrt(max(0.0, variance))
    z = math.sqrt(cosine) * nodes[:, None] + math.sqrt(1.0 - cosine) * middle
    values = centre + scale * z
    if origin is not None:
        leaf = ACTIVATIONS.find(origin.use.name)
        if leaf.value is None:
            raise NoPredictionError(f"{origin.use.name} is no function of one number")
        values = leaf.value(values, **resolved_options(origin.use))
        if np.any(np.diff(values, axis=1) < -1e-12 * np.abs(values).max()):
            raise NoPredictionError(f"{origin.use.name} falls somewhere, so its maximum is not that of its inputs")
    share = (weights / weights.sum())[:, None] * chance
    return float((values * share).sum()), float((values**2 * share).sum())
