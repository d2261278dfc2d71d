"""An activation as a series of Hermite polynomials: all correlations at once, for the price of one integral.

With f(√q z) = Σ a_k h_k(z) in normalized polynomials, E f(x) f(y) = Σ a_k² c^k and q E f'(x) f'(y) = Σ k a_k² c^(k - 1)
(Mehler's formula; Daniely, Frostig & Singer 2016, arXiv 1602.05897). The series converges like c^k: for curves in
figures; ``pairs`` is exact at every c.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from initprobe.activations import moments
from initprobe.activations.base import ACTIVATIONS, Array
from initprobe.records import ActivationUse

ORDER = 300
"""Terms. What is cut off is less than c^300: 5 % of the last term at c = 0.99, nothing at 0.9."""

REACH, WIDTH = 12.0, 0.25
"""Standard deviations that are integrated, and the panels' width: the last polynomial has a wave in 0.36."""

NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)


@lru_cache(maxsize=1024)
def squared_coefficients(use: ActivationUse, q: float) -> Array:
    """a_k² for k below ``ORDER``; the array is read-only.

    Raises:
        NotElementwiseError: the activation does not act on one number at a time.
        UsageError: it is unknown, or an option is.
    """
    leaf = ACTIVATIONS.find(use.name)
    options = moments.resolved_options(use)
    if leaf.value is None:
        raise moments.NotElementwiseError(f"{use.name} does not act on one number at a time: it has no series")
    scale = math.sqrt(q)
    bends = np.array(leaf.kinks(**options)) / scale
    powers = 2.0 ** np.arange(math.ceil(math.log2(max(scale, 1.0)))) / scale
    edges = np.concatenate([np.arange(-REACH, REACH + WIDTH / 2, WIDTH), bends, powers, -powers])
    edges = np.unique(edges[np.abs(edges) <= REACH])
    half = 0.5 * np.diff(edges)[:, None]
    z = ((0.5 * (edges[:-1] + edges[1:]))[:, None] + half * NODES).ravel()
    weights = (half * WEIGHTS).ravel() * np.exp(-0.25 * z * z) / (2.0 * np.pi) ** 0.25
    weighted = leaf.value(scale * z, **options) * weights
    before, last = np.zeros_like(z), np.exp(-0.25 * z * z) / (2.0 * np.pi) ** 0.25
    found = np.empty(ORDER)
    for k in range(ORDER):
        found[k] = weighted @ last
        before, last = last, (z * last - math.sqrt(k) * before) / math.sqrt(k + 1.0)
    squares: Array = found**2
    squares.flags.writeable = False
    return squares


def deficits(use: ActivationUse, q: float, gaps: Array) -> Array:
    """E f(x)² - E f(x) f(y) at each 1 - c, from 0.01 to below 1; raises like ``squared_coefficients``."""
    powers = np.exp(np.arange(ORDER) * np.log1p(-gaps)[:, None])
    found: Array = moments.second_moment(use, q) - powers @ squared_coefficients(use, q)
    return found


def derivative_products(use: ActivationUse, q: float, gaps: Array) -> Array:
    """E f'(x) f'(y) at each 1 - c below 1; raises like ``squared_coefficients``."""
    orders = np.arange(1, ORDER)
    powers = np.exp((orders - 1) * np.log1p(-gaps)[:, None])
    found: Array = powers @ (orders * squared_coefficients(use, q)[1:]) / q
    return found
