"""An activation made of a function that somebody wrote: its kinks are looked for, its slope is taken by differences."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

import numpy as np

from initprobe.activations.base import ACTIVATIONS, Activation, Array
from initprobe.errors import InitprobeError, UsageError, first_line
from initprobe.records import ActivationUse

Function = Callable[[Array], Any]

REACH, SPACING = 24.0, 1.0 / 64.0
"""Kinks are looked for from -REACH to REACH; two within a few SPACING count as one."""

ZOOM = 16
"""How much closer the second look is: sixth differences fall 16-fold there at a kink of f', 256-fold at one of f'', and
16⁶-fold where f is smooth."""

ROUGH = 1e-7
"""A sixth difference, relative to f, that is worth a second look."""

STEP = 2.0**-7
"""Distance of the points that a derivative is taken from."""

CENTRAL = np.array([-1 / 60, 3 / 20, -3 / 4, 0.0, 3 / 4, -3 / 20, 1 / 60])
ONE_SIDED = np.array([-49 / 20, 6.0, -15 / 2, 20 / 3, -15 / 4, 6 / 5, -1 / 6])
"""Weights of the first derivative on seven points, exact for polynomials of degree six (Fornberg 1988)."""


def adopt(name: str, function: Function, derivative: Function | None = None) -> ActivationUse:
    """Make an activation of a function, so that everything that takes an activation takes it.

    It is found by its name and stays out of every list.

    Args:
        name: what to call it; a number follows where the name is taken.
        function: of a float64 array, or of one number.
        derivative: its derivative; without one it is taken by differences, to about ten digits.

    Raises:
        UsageError: it fails, does not act on one number at a time, is random, or is not finite somewhere within ±24.
    """
    value = _checked(name, function)
    points = np.arange(-REACH, REACH + SPACING / 2.0, SPACING)
    kinks = find_kinks(value, points)
    slope = differences(value, kinks) if derivative is None else _as_array(derivative)
    return ActivationUse(
        ACTIVATIONS.lend(
            name, Activation(name, "given as a function", value=value, derivative=slope, kinks=lambda: kinks)
        )
    )


def find_kinks(value: Callable[[Array], Array], points: Array) -> tuple[float, ...]:
    """Where f, f' or f'' jumps between evenly spaced points, by its sixth differences at two distances."""
    fine = (points[1] - points[0]) / ZOOM
    found: list[float] = []
    for low, high in _rough(value(points), points, ROUGH):
        closer = np.arange(low - 8.0 * fine, high + 8.5 * fine, fine)
        coarse, near = value(closer[::ZOOM]), value(closer)
        if coarse.size < 7:
            continue
        before = float(np.abs(np.diff(coarse, 6)).max())
        stretches = _rough(near, closer, before * ZOOM**-2.5, relative=False)
        found += [_located(value, start, end, fine) for start, end in stretches if start > low - 1.0]
    return tuple(_distinct(sorted(found)))


def differences(value: Callable[[Array], Array], kinks: tuple[float, ...]) -> Callable[[Array], Array]:
    """The derivative of f from seven points that all lie on one side of the nearest kink."""
    at = np.array(kinks)

    def derivative(z: Array) -> Array:
        flat = np.asarray(z, np.float64).ravel()
        if at.size:
            nearest = at[np.abs(flat[:, None] - at).argmin(axis=1)]
            side = np.where(np.abs(flat - nearest) < 3.0 * STEP, np.where(flat >= nearest, 1.0, -1.0), 0.0)
        else:
            side = np.zeros_like(flat)
        offsets = np.where(side[:, None] == 0.0, np.arange(-3.0, 4.0), side[:, None] * np.arange(7.0))
        weights = np.where(side[:, None] == 0.0, CENTRAL, side[:, None] * ONE_SIDED)
        values = value((flat[:, None] + STEP * offsets).ravel()).reshape(offsets.shape)
        slopes: Array = (weights * values).sum(axis=1) / STEP
        return slopes.reshape(np.shape(z))

    return derivative


def _rough(values: Array, points: Array, bound: float, *, relative: bool = True) -> list[tuple[float, float]]:
    """Stretches of points over which the sixth difference is larger than the bound."""
    rough = np.abs(np.diff(values, 6))
    if relative:
        rough = rough / np.maximum(np.lib.stride_tricks.sliding_window_view(np.abs(values), 7).max(axis=1), 1e-3)
    runs = [list(run) for is_rough, run in groupby(range(rough.size), lambda at: bool(rough[at] > bound)) if is_rough]
    return [(float(points[run[0]]), float(points[run[-1] + 6])) for run in runs]


def _located(value: Callable[[Array], Array], low: float, high: float, spacing: float) -> float:
    """The kink within a stretch: left of it f follows the points before, right of it those behind."""
    left, right = (side + spacing * np.arange(6.0) * sign for side, sign in ((low, -1.0), (high, 1.0)))
    centre, width = 0.5 * (low + high), high - low
    before = np.polynomial.Polynomial.fit((left - centre) / width, value(left), 5)
    behind = np.polynomial.Polynomial.fit((right - centre) / width, value(right), 5)
    for _ in range(60):
        middle = 0.5 * (low + high)
        there, at = float(value(np.array([middle]))[0]), (middle - centre) / width
        follows = abs(there - before(at)) <= abs(there - behind(at))
        low, high = (middle, high) if follows else (low, middle)
    kink = 0.5 * (low + high)
    return round(kink, 4) + 0.0 if abs(kink - round(kink, 4)) < 5e-7 else kink


def _distinct(kinks: list[float]) -> list[float]:
    return [kink for place, kink in enumerate(kinks) if not place or kink - kinks[place - 1] > 1e-6]


def _checked(name: str, function: Function) -> Callable[[Array], Array]:
    """The function on arrays, once it has shown that it is one of single numbers."""
    sample = np.linspace(-REACH, REACH, 64)
    try:
        value = _as_array(function)
        try:
            value(sample)
        except (TypeError, ValueError):  # math.tanh and the like take one number
            value = _as_array(np.vectorize(function, otypes=[np.float64]))
        once, again = value(sample), value(sample)
        apart = np.concatenate([np.atleast_1d(value(part)) for part in (sample[:5], sample[5:])])
    except InitprobeError:
        raise
    except Exception as error:
        raise UsageError(
            f"{name} cannot be called with an array of numbers: {first_line(error)}",
            hint="an activation takes one array and answers with one of the same shape",
        ) from error
    if (
        once.shape != sample.shape
        or apart.shape != sample.shape
        or not np.allclose(once, apart, rtol=1e-9, atol=1e-12, equal_nan=True)
    ):
        raise UsageError(f"{name} does not act on one number at a time: it has no Gaussian moments and no gain")
    if not np.array_equal(once, again, equal_nan=True):
        raise UsageError(f"{name} answers differently when asked twice", hint="give its mean over what is random")
    if not np.isfinite(once).all():
        bad = sample[~np.isfinite(once)][0]
        raise UsageError(f"{name} is not finite everywhere: f({bad:.4g}) is {once[~np.isfinite(once)][0]}")
    return value


def _as_array(function: Function) -> Callable[[Array], Array]:
    def value(z: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(function(z), np.float64)

    return value
