"""Gaussian expectations over two inputs at once: E f(x) f(y) and E f'(x) f'(y) for correlated normal x and y.

They are what the c-map is made of (Poole et al. 2016, arXiv 1606.05340, eq. 5) and what the gradients of two inputs
share (Schoenholz et al. 2017, arXiv 1611.01232, eq. 9).

x = centre + L u + S v and y = centre ± (L u - S v) with u, v ~ N(0, 1) independent, where 2 L² and 2 S² are the larger
and the smaller of q (1 ± c). Both integrals are Gauss-Legendre on panels. Where f bends, x or y crosses a kink: those
u end the inner panels, and those v at which two of them meet end the outer ones, so that every panel is smooth.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from initprobe.activations import moments
from initprobe.activations.base import ACTIVATIONS, Array
from initprobe.records import ActivationUse

REACH = 10.0
"""Standard deviations that are integrated; what lies beyond weighs less than 1e-22."""

PANEL = 2.0
"""Width of a panel, in standard deviations, before kinks cut it."""

NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)

TAIL = (2 * np.arange(14, 16)[:, None] + 1) / 2 * WEIGHTS * np.polynomial.legendre.legvander(NODES, 15).T[14:]
"""To the last two Legendre coefficients of a function on a panel, from its values at the nodes."""

ENOUGH = 1e-6
"""Last coefficients, relative to the whole, up to which panels are fine enough: the error is about their square."""

MAX_LEVEL = 3
"""How often all panels may be halved. An f that oscillates faster than that (sine at q above 100) is sampled."""

POWERS = 2.0 ** np.arange(-64, 65)[:, None]
"""Factors by which a number is multiplied without any rounding."""

CHUNK = 1 << 20
"""Values of f that are held at once."""


@dataclass(frozen=True, slots=True)
class Pair:
    """How two inputs of one mean and one variance are made of independent u and v.

    Attributes:
        centre: the mean of both.
        large, small: L and S of x = centre + L u + S v.
        sign: of y = centre + sign (L u - S v); that of the correlation.
    """

    centre: float
    large: float
    small: float
    sign: float


def product(use: ActivationUse, q: float, c: float, centre: float = 0.0) -> float:
    """E f(x) f(y) for x, y ~ N(centre, q) with correlation c.

    Where f is random itself (rrelu), x and y meet slopes of their own: the two share their inputs and nothing else, so
    that the product at c = 1 is less than E f².

    Args:
        use: the activation with its options.
        q: variance of x and of y.
        c: their correlation, from -1 to 1.
        centre: mean of x and of y.

    Raises:
        NotElementwiseError: the activation does not act on one number at a time.
        UsageError: it is unknown, or an option is.
    """
    return _product(use, "value", q, _gap(c), centre)


def derivative_product(use: ActivationUse, q: float, c: float, centre: float = 0.0) -> float:
    """E f'(x) f'(y) for x, y ~ N(centre, q) with correlation c; arguments and errors like ``product``."""
    return _product(use, "derivative", q, _gap(c), centre)


def square_product(use: ActivationUse, q: float, c: float) -> float:
    """E f(x)² f(y)² for x, y ~ N(0, q) with correlation c: how the sizes of two inputs depend on each other.

    Arguments and errors like ``product``; at c = 1 it is E f⁴, of the mean f where f is random itself.
    """
    return _product(use, "square", q, _gap(c), 0.0)


def deficit(use: ActivationUse, q: float, gap: float, centre: float = 0.0) -> float:
    """E f(x)² - E f(x) f(y), with all its digits however near the two are.

    It is ½ E (f(x) - f(y))²; where f is random itself, the variance that it adds comes on top.

    Args:
        use: the activation with its options.
        q: variance of x and of y.
        gap: 1 - c, from 0 to 2.
        centre: mean of x and of y.

    Raises:
        NotElementwiseError: the activation does not act on one number at a time.
        UsageError: it is unknown, or an option is.
    """
    return _deficit(use, "value", q, gap, centre)


def derivative_deficit(use: ActivationUse, q: float, gap: float, centre: float = 0.0) -> float:
    """E f'(x)² - E f'(x) f'(y); arguments and errors like ``deficit``."""
    return _deficit(use, "derivative", q, gap, centre)


def _gap(c: float) -> float:
    if not -1.0 <= c <= 1.0:
        raise ValueError(f"no correlation is {c}")
    return 1.0 - c


@lru_cache(maxsize=65536)
def _product(use: ActivationUse, which: str, q: float, gap: float, centre: float) -> float:
    pair = _pair(q, gap, centre)
    if centre == 0.0 and q not in (0.0, 1.0) and _homogeneous(use):
        return _scale(which, q) * _product(use, which, 1.0, gap, 0.0)
    function, kinks = _function(use, which)
    if pair.large == 0.0:
        return float(function(np.full(1, centre))[0]) ** 2
    return _expectation(lambda x, y: function(x) * function(y), kinks, pair)


@lru_cache(maxsize=65536)
def _deficit(use: ActivationUse, which: str, q: float, gap: float, centre: float) -> float:
    pair = _pair(q, gap, centre)
    if centre == 0.0 and q not in (0.0, 1.0) and _homogeneous(use):
        return _scale(which, q) * _deficit(use, which, 1.0, gap, 0.0)
    function, kinks = _function(use, which)
    noise = _own_variance(use, which, q, centre)
    if pair.large == 0.0 or gap == 0.0:
        return noise
    return noise + _expectation(lambda x, y: 0.5 * (function(x) - function(y)) ** 2, kinks, pair)


@lru_cache(maxsize=256)
def _homogeneous(use: ActivationUse) -> bool:
    """Whether f(s z) = s f(z) for every s > 0, as rectifiers have it: one variance then tells of all others.

    A wide Gaussian is cut into many panels around zero, where other activations bend.
    """
    function, kinks = _function(use, "value")
    sides = np.array([-1.0, 1.0])
    return not any(kinks) and bool(np.array_equal(function(POWERS * sides), POWERS * function(sides)))


def _scale(which: str, q: float) -> float:
    """What a variance of q makes of the expectation at a variance of 1 where f is homogeneous."""
    return {"value": q, "derivative": 1.0, "square": q * q}[which]


def _function(use: ActivationUse, which: str) -> tuple[Callable[[Array], Array], tuple[float, ...]]:
    """The function, f or its derivative, with its options filled in, and where it bends."""
    leaf = ACTIVATIONS.find(use.name)
    options = moments.resolved_options(use)
    function = leaf.derivative if which == "derivative" else leaf.value
    if function is None:
        raise moments.NotElementwiseError(
            f"{use.name} does not act on one number at a time: no two numbers have a product behind it"
        )
    power = 2 if which == "square" else 1
    return lambda z: function(z, **options) ** power, tuple(leaf.kinks(**options))


def _own_variance(use: ActivationUse, which: str, q: float, centre: float) -> float:
    """What an f that is random itself adds to its second moment."""
    leaf = ACTIVATIONS.find(use.name)
    if (leaf.value_square if which == "value" else leaf.derivative_square) is None:
        return 0.0
    if which == "value":
        square = moments.moments_around(use, centre, q)[1]
    else:
        square = moments.derivative_moments_around(use, centre, q)[1]
    return square - _product(use, which, q, 0.0, centre)


def _pair(q: float, gap: float, centre: float) -> Pair:
    if not 0.0 <= q < math.inf or not math.isfinite(centre):
        raise ValueError(f"no Gaussian has the mean {centre} and the variance {q}")
    common, own = math.sqrt(q * (2.0 - gap) / 2.0), math.sqrt(q * gap / 2.0)
    return Pair(centre, common, own, 1.0) if gap <= 1.0 else Pair(centre, own, common, -1.0)


def _expectation(function: Callable[[Array, Array], Array], kinks: tuple[float, ...], pair: Pair) -> float:
    """E function(x, y), on panels that are halved until the function has no detail left below their width."""
    total, fine = 0.0, False
    for level in range(MAX_LEVEL + 1):
        total, fine = _integrated(function, np.array(kinks), pair, PANEL / 2.0**level)
        if fine:
            break
    return total


def _integrated(
    function: Callable[[Array, Array], Array], kinks: Array, pair: Pair, width: float
) -> tuple[float, bool]:
    """The integral, and whether the panels are fine enough for it."""
    if pair.small == 0.0:  # x and y are one number, or opposite ones
        whole, size, detail = _inner(function, kinks, pair, np.zeros(1), width)[:, 0]
        return float(whole), bool(detail <= ENOUGH * size)
    left, right = _outer_edges(kinks, pair, width)
    half = 0.5 * (right - left)[:, None]
    v = (0.5 * (left + right))[:, None] + half * NODES
    inner = _inner(function, kinks, pair, v.ravel(), width).reshape(3, *v.shape)
    whole, size, detail = half * _density(v) * inner
    left_out = np.abs(whole @ TAIL.T).sum() + (detail @ WEIGHTS).sum()
    return float((whole @ WEIGHTS).sum()), bool(left_out <= ENOUGH * (size @ WEIGHTS).sum())


def _inner(function: Callable[[Array, Array], Array], kinks: Array, pair: Pair, v: Array, width: float) -> Array:
    """Integrals over u at each v, shape (3, v): of the function, of its size, and the detail that the panels miss."""
    bends = np.concatenate([kinks, _octaves(pair.large + abs(pair.centre))]) - pair.centre
    base = np.linspace(-REACH, REACH, round(2.0 * REACH / width) + 1)
    rows = max(1, CHUNK // ((base.size + 2 * bends.size) * NODES.size))
    found = np.empty((3, v.size))
    for start in range(0, v.size, rows):
        own = v[start : start + rows, None]
        crossed = [(bends - pair.small * own) / pair.large, (pair.sign * bends + pair.small * own) / pair.large]
        edges = np.concatenate([np.broadcast_to(base, (own.size, base.size)), *crossed], axis=1)
        edges = np.sort(np.clip(edges, -REACH, REACH), axis=1)
        half = 0.5 * np.diff(edges, axis=1)[..., None]
        u = 0.5 * (edges[:, :-1] + edges[:, 1:])[..., None] + half * NODES
        common, apart = pair.large * u, pair.small * own[..., None]
        values = function(pair.centre + common + apart, pair.centre + pair.sign * (common - apart))
        values = half * values * _density(u)
        found[0, start : start + rows] = (values @ WEIGHTS).sum(axis=1)
        found[1, start : start + rows] = (np.abs(values) @ WEIGHTS).sum(axis=1)
        found[2, start : start + rows] = np.abs(values @ TAIL.T).sum(axis=(1, 2))
    return found


def _outer_edges(kinks: Array, pair: Pair, width: float) -> tuple[Array, Array]:
    """Panels in v: they end where two kinks meet, and narrow down where x and y pass zero together."""
    base = np.linspace(-REACH, REACH, round(2.0 * REACH / width) + 1)
    apart = 2.0 * pair.small
    shifted = kinks - pair.centre
    meetings = (shifted[:, None] - pair.sign * shifted[None, :]).ravel() / apart
    zero = -pair.centre * (1.0 - pair.sign) / apart
    edges = np.concatenate([base, meetings, [zero], zero + _octaves(apart) / apart])
    edges = np.unique(edges[np.abs(edges) <= REACH])
    return edges[:-1], edges[1:]


def _octaves(scale: float) -> Array:
    """±1, ±2, ±4 ... up to ``scale``: activations bend near zero, and a wide Gaussian must not step over it."""
    powers = 2.0 ** np.arange(math.ceil(math.log2(max(scale, 1.0))))
    return np.concatenate([-powers, powers])


def _density(z: Array) -> Array:
    return np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
