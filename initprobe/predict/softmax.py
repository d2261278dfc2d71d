"""How unevenly a softmax of independent normal scores spreads its weight.

E Σ a² of n weights a = e^x / Σ e^x is n ∫ t E[e^2x exp(-t e^x)] E[exp(-t e^x)]^(n-1) dt, for 1 / D² is the integral of
t exp(-t D); third and fourth powers are alike. It is e^s / n as long as that is far below 1, s being the variance of a
score (the log-normal mean that Noci et al. 2022, arXiv 2206.03126, section 3, use), and less where a few weights begin
to take all. It is the participation ratio of Derrida's random energy model (Derrida 1981, Phys. Rev. B 24, 2613) at
finite size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

NODES = np.arange(-9.0, 9.0, 0.1)
"""Scores in standard deviations. Both integrals are trapezoidal sums: of smooth bumps they are exact to many digits."""

DENSITY = np.exp(-0.5 * NODES**2) / np.exp(-0.5 * NODES**2).sum()

STEP = 0.05
"""Between the points in ln t."""

GONE = 50.0
"""ln of what exp(-x) is nothing at."""


NEARLY_ONE = 1.0 + 1e-6
"""Keys; what so few have apart is lost in rounding."""


@dataclass(frozen=True, slots=True)
class Concentration:
    """What normal scores make of even weights, each number 1 where all scores are equal.

    Attributes:
        square: E Σ a², times n.
        apart: E Σ a² |v - Σ a v|² / |v|² of independent values v, which a gradient towards scores is made of, over
            what it is of even weights.
        cross: the same of two queries with scores of their own, E Σ a a' (v - Σ a v)(v - Σ a' v) / |v|².
    """

    square: float
    apart: float
    cross: float


@cache
def concentration(count: float, variance: float) -> Concentration:
    """How unevenly a query weighs its keys.

    Args:
        count: n, at least 1; an average of numbers of keys need not be whole.
        variance: s, of the scores.
    """
    if count <= NEARLY_ONE:
        return Concentration(1.0, 1.0, 1.0)
    scores = math.sqrt(variance) * NODES
    # Where t e^x is 1 for the largest of n scores and for the smallest: the integrand is nothing outside.
    reach = math.sqrt(variance) * (math.sqrt(2.0 * math.log(count + 1.0)) + 6.0)
    logs = np.arange(-reach - math.log(count) - 12.0, reach + 12.0, STEP)
    energies = np.exp(np.minimum(logs[:, None] + scores[None, :], GONE))
    alive = np.exp(-energies)
    one, two, three, four = (((alive * energies**power) @ DENSITY) for power in (0, 2, 3, 4))
    others = one ** (count - 1.0)
    square = count * STEP * float((two * others).sum())
    cube = count * STEP * float((three * others).sum()) / 2.0
    fourth = count * STEP * float((four * others).sum()) / 6.0
    # An average number of keys may be below 2: no negative power of what has gone to nothing.
    ratio = np.divide(two, one, out=np.zeros_like(two), where=one > 0.0)
    pairs = count * (count - 1.0) * STEP * float((ratio**2 * one**count).sum()) / 6.0
    even = (1.0 - 1.0 / count) / count
    two_queries = (1.0 - 2.0 * square + square**2 + (1.0 - square) ** 2 / (count - 1.0)) / count
    return Concentration(count * square, (square - 2.0 * cube + fourth + pairs) / even, two_queries / even)
