"""A number with its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number over seeds.

    Attributes:
        mean: over the seeds (finite values only; nan when there is none).
        low, high: the 95 % confidence interval of the mean; equal to it for a single draw without an interval.
        per_seed: one value per seed, in seed order.
    """

    mean: float
    low: float
    high: float
    per_seed: tuple[float, ...] = ()
