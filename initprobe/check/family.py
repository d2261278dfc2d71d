"""Many layers are looked at, so each of them needs stronger evidence than one alone would."""

from __future__ import annotations

from typing import Literal

import numpy as np

from initprobe.check.interval import student_t
from initprobe.check.signals import Array, Mask

Side = Literal["above", "below"]


def beyond(values: Array, limit: float, side: Side = "above", *, level: float) -> Mask:
    """Which of many layers lie beyond a limit, by the one-sided t interval of each layer's mean over seeds.

    A single seed has no interval: its values stand for themselves. Quantities that multiply are given as logarithms.

    Args:
        values: seeds by layers; a layer with a value that is not finite is not told.
        limit: what its mean must lie beyond.
        side: which way.
        level: of each layer's interval (``LookPlan.one_of``).

    Returns:
        One truth value per layer.
    """
    signed = values - limit if side == "above" else limit - values
    seeds, layers = signed.shape
    known = np.isfinite(signed).all(axis=0)
    with np.errstate(invalid="ignore"):
        mean = signed.mean(axis=0) if seeds else np.full(layers, np.nan)
        if seeds > 1:
            mean = mean - student_t(level, seeds - 1) * signed.std(axis=0, ddof=1) / np.sqrt(seeds)
        found: Mask = known & (mean > 0)
    return found
