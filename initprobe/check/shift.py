"""Whether a number is another one than before, or another draw of the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from initprobe.check.interval import CONFIDENCE, student_t
from initprobe.check.signals import Array

FLOOR = math.log(1.02)
"""A scale that is less than 2 % off is the same: other kernels and thread counts move deep signals by about a tenth of
that."""

ROUNDING = 1e-4
"""Relative spread below which values are constants, or the same draws, and not samples."""

STEADY = 5.0
"""How much larger than its family's a number's own variance may be: beyond, it does not belong there. Eight degrees of
freedom exceed their mean by that in 1 of 10⁵ numbers."""

OFTEN = 1.2816
"""The normal quantile of 0.9: how many standard errors beyond the limit a change must lie to be found so often."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One number before and after.

    Attributes:
        old, new: a value per seed: logarithms of scales, or means in units of the scale.
        exact: whether a constant, or a constant step of the same draws, is a change however small: so for parameters,
            not for signals, where rounding adds up.
        steps: new minus old, for each seed that both have; empty where there is none.
    """

    old: Array
    new: Array
    exact: bool
    steps: Array

    @property
    def step(self) -> float:
        """New minus old."""
        return float(self.new.mean() - self.old.mean())

    @property
    def constant(self) -> bool:
        """Whether neither varies over seeds."""
        return all(_spread(side) <= ROUNDING for side in (self.old, self.new))

    @property
    def freedom(self) -> int:
        """Degrees of freedom of its variance."""
        return len(self.old) + len(self.new) - 2

    @property
    def variance(self) -> float:
        """Pooled over both: where nothing changed, both are samples of one distribution."""
        squares = sum(float(((side - side.mean()) ** 2).sum()) for side in (self.old, self.new))
        return squares / self.freedom if self.freedom else 0.0

    @property
    def error(self) -> float:
        """The standard error of the step, in units of the standard deviation."""
        return math.sqrt(1 / len(self.old) + 1 / len(self.new))


def changed(pair: Pair, level: float, *, family: tuple[float, int] | None = None) -> bool:
    """Whether the step is beyond what another draw would do.

    Student's two-sample t test that the step lies beyond the floor; where both have the same seeds also the paired one,
    which finds the least change where a refactor kept the draws. A single value on each side stands for itself.

    Args:
        pair: before and after.
        level: probability of a wrong answer, for this one number.
        family: variance and degrees of freedom of numbers that vary alike.
    """
    if _same_draws(pair.steps) or pair.constant:
        step = pair.steps.mean() if len(pair.steps) else pair.step
        return bool(abs(step) > (ROUNDING if pair.exact else FLOOR))
    beyond = abs(pair.step) - FLOOR
    if pair.freedom == 0:
        return beyond > 0
    paired = len(pair.steps) > 1
    tail = 1.0 - level / (4.0 if paired else 2.0)
    variance, freedom = _steadied(pair, family)
    found = beyond > student_t(tail, freedom) * math.sqrt(variance) * pair.error
    if paired and not found:
        error = float(pair.steps.std(ddof=1)) / math.sqrt(len(pair.steps))
        found = abs(float(pair.steps.mean())) - FLOOR > student_t(tail, len(pair.steps) - 1) * error
    return found


def resolution(pair: Pair, level: float, *, family: tuple[float, int] | None = None) -> float:
    """The step that is found nine times in ten among draws that are not the same; nan for constants."""
    if pair.constant or pair.freedom == 0:
        return math.nan
    variance, freedom = _steadied(pair, family)
    return FLOOR + (student_t(1.0 - level / 2.0, freedom) + OFTEN) * math.sqrt(variance) * pair.error


def pooled(pairs: Sequence[Pair]) -> tuple[float, int] | None:
    """Variance and degrees of freedom of numbers that vary alike; None where none of them varies."""
    varying = [pair for pair in pairs if not pair.constant and pair.freedom]
    freedom = sum(pair.freedom for pair in varying)
    return (sum(pair.variance * pair.freedom for pair in varying) / freedom, freedom) if freedom else None


def level_of(count: int) -> float:
    """What is left for one number, so that all of them together are wrongly told once in twenty (Bonferroni)."""
    return (1.0 - CONFIDENCE) / max(1, count)


def _steadied(pair: Pair, family: tuple[float, int] | None) -> tuple[float, int]:
    """The variance to judge by: its family's, unless its own is far larger."""
    if family is None or pair.variance > STEADY * family[0]:
        return pair.variance, pair.freedom
    return family


def _same_draws(steps: Array) -> bool:
    """Whether the same seeds gave the same draws but for a factor; a single one must be equal."""
    return _spread(steps) <= ROUNDING if len(steps) > 1 else bool(len(steps)) and abs(float(steps[0])) <= ROUNDING


def _spread(values: Array) -> float:
    return float(np.ptp(values)) if len(values) else 0.0
