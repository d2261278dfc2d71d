"""Gaussian expectations of activations, and the gains that follow from them.

With z ~ N(0, 1) and a weight variance of gain² / fan, a layer keeps the second moment q = 1 of its pre-activations when
gain² = 1 / E f(z)², and the second moment of their gradients when gain² = 1 / E f'(z)² (Poole et al. 2016,
arXiv 1606.05340; Schoenholz et al. 2017, arXiv 1611.01232). Every number is integrated, none is tabled.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from difflib import get_close_matches
from functools import lru_cache

import numpy as np

from initprobe.activations.base import ACTIVATIONS, Activation, Array
from initprobe.errors import UsageError
from initprobe.records import ActivationUse

REACH = 16.0
"""Standard deviations that are integrated; what lies beyond weighs less than 1e-56."""

TOLERANCE = 1e-15
"""Relative to the whole integral, per panel."""

MAX_PANELS = 1 << 15
"""Where a function oscillates faster than this many panels can follow (sine at q above 1e9), the panels sample it."""

NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)


class NotElementwiseError(UsageError):
    """The activation is no function of one number, so it has no moments and no gain."""


def mean(use: ActivationUse, q: float = 1.0) -> float:
    """E f(√q z) for z ~ N(0, 1).

    Raises:
        NotElementwiseError: the activation does not act on one number at a time.
        UsageError: it is unknown, or an option is.
    """
    return _moment(use, q, "mean")


def second_moment(use: ActivationUse, q: float = 1.0) -> float:
    """E f(√q z)² for z ~ N(0, 1); raises like ``mean``."""
    return _moment(use, q, "square")


def derivative_second_moment(use: ActivationUse, q: float = 1.0) -> float:
    """E f'(√q z)² for z ~ N(0, 1); raises like ``mean``."""
    return _moment(use, q, "derivative_square")


def second_moment_slope(use: ActivationUse, q: float = 1.0) -> float:
    """d/dq E f(√q z)²: how much of a small change of q gets through; raises like ``mean``.

    By integration by parts it is E (z² - 1) f(√q z)² / 2q, which asks for no derivative of f.
    """
    return _moment(use, q, "slope")


def moments_around(use: ActivationUse, centre: float, variance: float) -> tuple[float, float]:
    """E f(x) and E f(x)² for x ~ N(centre, variance); raises like ``mean``."""
    return _moment(use, variance, "mean", centre), _moment(use, variance, "square", centre)


def derivative_moments_around(use: ActivationUse, centre: float, variance: float) -> tuple[float, float]:
    """E f'(x) and E f'(x)² for x ~ N(centre, variance); raises like ``mean``."""
    return _moment(use, variance, "derivative", centre), _moment(use, variance, "derivative_square", centre)


def fourth_moment_around(use: ActivationUse, centre: float, variance: float) -> float:
    """E f(x)⁴ for x ~ N(centre, variance); raises like ``mean``."""
    return _moment(use, variance, "fourth", centre)


def derivative_fourth_moment(use: ActivationUse, q: float = 1.0, centre: float = 0.0) -> float:
    """E f'(x)⁴ for x ~ N(centre, q); raises like ``mean``.

    Where f is random itself (rrelu), it is that of the root mean square slope, the least that it can be.
    """
    return _moment(use, q, "derivative_fourth", centre)


def scale_response(use: ActivationUse, q: float = 1.0) -> float:
    """E z f'(√q z) for z ~ N(0, 1): what the mean behind f gains per standard deviation; raises like ``mean``."""
    return _moment(use, q, "response")


def forward_gain(use: ActivationUse) -> float:
    """1 / √(E f(z)²): what a weight behind this activation needs to keep a signal of second moment 1.

    Raises:
        NotElementwiseError: the activation does not act on one number at a time.
        UsageError: it is unknown, an option is, or it passes no signal at all.
    """
    return _gain(use, second_moment(use))


def backward_gain(use: ActivationUse) -> float:
    """1 / √(E f'(z)²): what a weight before it needs to keep a gradient of second moment 1; raises like the other."""
    return _gain(use, derivative_second_moment(use))


def resolved_options(use: ActivationUse) -> dict[str, float | str]:
    """Every option of the activation: those of this use, torch's defaults for the others.

    Raises:
        UsageError: the activation has no such option, or the option no such choice.
    """
    activation = ACTIVATIONS.find(use.name)
    for key, option in use.options:
        if key not in activation.options:
            near = get_close_matches(key, activation.options, n=1) or list(activation.options)
            hint = f"did you mean {near[0]!r}?" if near else f"{use.name} has no options"
            raise UsageError(f"activation {use.name!r} has no option {key!r}", hint=hint)
        choices = activation.choices.get(key)
        if choices and option not in choices:
            raise UsageError(f"{use.name}: {key} is {option!r}", hint=f"it is one of {', '.join(choices)}")
    return {**activation.options, **dict(use.options)}


def _gain(use: ActivationUse, moment: float) -> float:
    if not 0.0 < moment < math.inf:
        raise UsageError(f"{use} has no gain: the second moment behind it is {moment:g}")
    return 1.0 / math.sqrt(moment)


@lru_cache(maxsize=4096)
def _moment(use: ActivationUse, q: float, which: str, centre: float = 0.0) -> float:
    activation = ACTIVATIONS.find(use.name)
    options = resolved_options(use)
    function = _integrand(activation, which)
    if function is None:
        raise NotElementwiseError(
            f"{use.name} does not act on one number at a time: it has no Gaussian moments and no gain",
            hint="give the gain as a number",
        )
    if not 0.0 <= q < math.inf or not math.isfinite(centre):
        raise ValueError(f"no Gaussian has the mean {centre} and the second moment {q} around it")
    scale = math.sqrt(q)
    if scale == 0.0 and which == "slope":
        raise ValueError("the slope of the map of second moments is asked for at a second moment of zero")
    if scale == 0.0:
        return 0.0 if which == "response" else float(function(np.full(1, centre), **options)[0])
    bends = [*activation.kinks(**options), *_octaves(scale + abs(centre))]
    edges = [(bend - centre) / scale for bend in bends]
    if which == "response":
        return _expectation(lambda z: z * function(scale * z, **options), edges)
    if which == "slope":
        return _expectation(lambda z: (z * z - 1.0) / (2.0 * q) * function(scale * z, **options), edges)
    return _expectation(lambda z: function(centre + scale * z, **options), edges)


def _integrand(activation: Activation, which: str) -> Callable[..., Array] | None:
    if which == "mean" or activation.value is None or activation.derivative is None:
        return activation.value
    if which in ("derivative", "response"):
        return activation.derivative
    if which == "fourth":
        return _squared(_squared(activation.value))
    if which in ("square", "slope"):
        return activation.value_square or _squared(activation.value)
    slopes = activation.derivative_square or _squared(activation.derivative)
    return _squared(slopes) if which == "derivative_fourth" else slopes


def _squared(function: Callable[..., Array]) -> Callable[..., Array]:
    return lambda z, **options: function(z, **options) ** 2


def _octaves(scale: float) -> list[float]:
    """±1, ±2, ±4 ... up to ``scale``: activations bend near zero, and a wide Gaussian must not step over it."""
    return [sign * 2.0**power for power in range(math.ceil(math.log2(max(scale, 1.0)))) for sign in (-1.0, 1.0)]


def _expectation(function: Callable[[Array], Array], bends: list[float]) -> float:
    """E function(z) for z ~ N(0, 1), by Gauss-Legendre on panels that are halved until halving changes nothing.

    ``bends`` are points that no panel may have inside.
    """
    edges = np.unique([*np.linspace(-REACH, REACH, 33), *(bend for bend in bends if abs(bend) < REACH)])
    left, right = edges[:-1], edges[1:]
    whole = _panels(function, left, right)
    total, size = 0.0, float(np.abs(whole).sum())
    while left.size:
        middle = 0.5 * (left + right)
        lower, upper = _panels(function, left, middle), _panels(function, middle, right)
        halves = lower + upper
        open_ = np.abs(halves - whole) > TOLERANCE * size
        if 2 * int(open_.sum()) > MAX_PANELS:
            open_[:] = False
        total += float(halves[~open_].sum())
        size = max(size, abs(total))
        left, right = np.r_[left[open_], middle[open_]], np.r_[middle[open_], right[open_]]
        whole = np.r_[lower[open_], upper[open_]]
    return total


def _panels(function: Callable[[Array], Array], left: Array, right: Array) -> Array:
    """The Gaussian-weighted integral over each panel, shape of ``left``."""
    half = 0.5 * (right - left)
    z = (0.5 * (left + right))[:, None] + half[:, None] * NODES
    density = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    weighted: Array = (function(z) * density) @ WEIGHTS
    return weighted * half
