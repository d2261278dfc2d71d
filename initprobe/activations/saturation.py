"""Where an activation is flat at both ends: between which of its values a unit still answers to its input."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from initprobe.activations.base import ACTIVATIONS
from initprobe.activations.moments import resolved_options
from initprobe.records import ActivationUse

FLAT = 0.05
"""Share of the largest slope below which a unit counts as saturated: tanh beyond |f| = 0.975, a sigmoid beyond 4.4."""

FAR = 1e3
"""Pre-activations beyond it are the ends."""

HALVINGS = 60


@lru_cache(maxsize=256)
def flat_beyond(use: ActivationUse) -> tuple[float, float] | None:
    """The values f(z) at and beyond which |f'(z)| stays below ``FLAT`` of its maximum: (low, high).

    None where f is not monotone, or not flat at both ends, or flat on one side of zero: there a rectifier is silent,
    and not saturated.

    Raises:
        UsageError: the activation is unknown, or an option is.
    """
    leaf, options = ACTIVATIONS.find(use.name), resolved_options(use)
    if leaf.value is None or leaf.derivative is None:
        return None
    away = np.geomspace(1e-6, FAR, 20_000)
    grid = np.concatenate([-away[::-1], away])
    slopes = leaf.derivative(grid, **options)
    limit = FLAT * float(np.abs([*slopes, *leaf.derivative(np.zeros(1), **options)]).max())
    steep = np.flatnonzero(np.abs(slopes) >= limit)
    first, last = int(steep[0]), int(steep[-1])
    middle = len(away)
    monotone = bool((slopes >= 0).all() or (slopes <= 0).all())
    if not monotone or not 0 < first < middle or not middle <= last < len(grid) - 1:
        return None

    def edge(inside: float, outside: float) -> float:
        for _ in range(HALVINGS):
            half = 0.5 * (inside + outside)
            steeper = abs(float(leaf.derivative(np.full(1, half), **options)[0])) >= limit  # type: ignore[misc]
            inside, outside = (half, outside) if steeper else (inside, half)
        return float(leaf.value(np.full(1, outside), **options)[0])  # type: ignore[misc]

    ends = edge(grid[first], grid[first - 1]), edge(grid[last], grid[last + 1])
    return min(ends), max(ends)
