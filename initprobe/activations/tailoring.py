"""Scale and shift of an activation's input and output that give a deep network a kernel of a chosen shape.

With φ̂(x) = output_scale · (φ(input_scale · x + input_shift) + output_shift) and x ~ N(0, 1), deep kernel shaping
(Martens et al. 2021, arXiv 2110.01765) asks for Q(1) = 1, Q'(1) = 1, C(0) = 0 and a slope C'(1); tailored activation
transformations (Zhang et al. 2022, arXiv 2203.08120) ask for Q(1) = 1, Q'(1) = 1, C'(1) = 1 and a curvature C''(1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from initprobe.activations import moments
from initprobe.activations.base import ACTIVATIONS, Array
from initprobe.activations.behaviour import behaviour, kind_of
from initprobe.errors import UsageError
from initprobe.records import ActivationUse

REACH = 12.0
PANELS = 48
STEPS = 60
"""How often Newton's method may step from one start."""

NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)
SCALES = (0.1, 0.3, 1.0, 2.0)
SHIFTS = (0.5, -0.5, 1.0, 0.0, -1.0)
"""Where the search begins, one after the other."""


@dataclass(frozen=True, slots=True)
class Tailored:
    """A transformation of an activation: output_scale · (φ(input_scale · x + input_shift) + output_shift)."""

    input_scale: float
    input_shift: float
    output_shift: float
    output_scale: float


@dataclass(frozen=True, slots=True)
class Kernel:
    """What a transformed activation does to the second moment and to the cosine of two inputs.

    Attributes:
        q: Q(1), the second moment behind it.
        q_slope: Q'(1).
        start: C(0), the cosine behind it of two orthogonal inputs.
        slope: C'(1), what a small angle's square is multiplied by; the same as chi_1.
        curvature: C''(1).
    """

    q: float
    q_slope: float
    start: float
    slope: float
    curvature: float


def check_tailorable(use: ActivationUse, *, smooth: bool) -> None:
    """Make sure that scales and shifts can shape the kernel of an activation.

    Args:
        use: the activation.
        smooth: whether it needs a second derivative.

    Raises:
        UsageError: it looks at many numbers at once, is a rectifier, or bends where it must not.
    """
    if kind_of(use.name) is not None or behaviour(use).kind == "rectifier":
        raise UsageError(
            f"no scale and shift shapes the kernel of {use}: only its slope below zero would, and that is no weight",
            hint="kaiming_normal or orthogonal suit it",
        )
    leaf = ACTIVATIONS.find(use.name)
    options = moments.resolved_options(use)
    kinks = np.array(leaf.kinks(**options))
    if smooth and leaf.derivative is not None and kinks.size:
        jumps = leaf.derivative(kinks + 1e-9, **options) - leaf.derivative(kinks - 1e-9, **options)
        if np.abs(jumps).max() > 1e-6:
            raise UsageError(
                f"{use} bends too sharply: it has no second derivative to tailor", hint="dks asks for none"
            )


@lru_cache(maxsize=256)
def shaped(use: ActivationUse, slope: float) -> Tailored:
    """The transformation of deep kernel shaping: C(0) = 0 and C'(1) = slope, above 1.

    Raises:
        UsageError: no transformation of this activation was found.
    """
    check_tailorable(use, smooth=False)

    def errors(unknown: Array) -> Array:
        kernel = kernel_of(use, centred(unknown))
        return np.array([kernel.q_slope - 1.0, kernel.slope - slope])

    def centred(unknown: Array) -> Tailored:
        return _normalized(use, float(unknown[0]), float(unknown[1]), None)

    found = _solved(errors, [np.array([scale, shift]) for scale in SCALES for shift in SHIFTS], lambda _: True)
    return centred(_found(found, use))


@lru_cache(maxsize=256)
def tailored(use: ActivationUse, curvature: float) -> Tailored:
    """The transformation of tailored activations: C'(1) = 1 and C''(1) = curvature, above 0.

    Solutions whose steepest slope is 2 and more are passed over, as the authors do for activations of slope 1: their
    maps of q are unstable.

    Raises:
        UsageError: no transformation of this activation was found.
    """
    check_tailorable(use, smooth=True)
    steepest = float(np.abs(_derivatives(use, np.linspace(-8.0, 8.0, 401))[1]).max())

    def errors(unknown: Array) -> Array:
        kernel = kernel_of(use, transformed(unknown))
        return np.array([kernel.q_slope - 1.0, kernel.slope - 1.0, kernel.curvature - curvature])

    def transformed(unknown: Array) -> Tailored:
        return _normalized(use, float(unknown[0]), float(unknown[1]), float(unknown[2]))

    def stable(unknown: Array) -> bool:
        one = transformed(unknown)
        return abs(one.input_scale * one.output_scale) * steepest < 2.0

    starts = [
        np.array([scale, shift, _normalized(use, scale, shift, None).output_shift + more])
        for scale in SCALES
        for shift in SHIFTS
        for more in (0.0, 0.1, -0.1)
    ]
    return transformed(_found(_solved(errors, starts, stable), use))


def kernel_of(use: ActivationUse, one: Tailored) -> Kernel:
    """The maps of a transformed activation at q = 1, by quadrature."""
    if not math.isfinite(one.output_scale):
        return Kernel(math.nan, math.nan, math.nan, math.nan, math.nan)
    x, weights = _grid(use, one.input_scale, one.input_shift)
    value, first, second = _derivatives(use, one.input_scale * x + one.input_shift)
    out = one.output_scale * (value + one.output_shift)
    slope = one.output_scale * one.input_scale * first
    bend = one.output_scale * one.input_scale**2 * second
    q = float(weights @ out**2)
    return Kernel(
        q,
        float(weights @ (out * slope * x)),
        float(weights @ out) ** 2 / q,
        float(weights @ slope**2) / q,
        float(weights @ bend**2) / q,
    )


def _normalized(use: ActivationUse, scale: float, shift: float, output_shift: float | None) -> Tailored:
    """With Q(1) = 1, and C(0) = 0 where no output shift is given."""
    x, weights = _grid(use, scale, shift)
    value = _derivatives(use, scale * x + shift)[0]
    moved = -float(weights @ value) if output_shift is None else output_shift
    size = float(weights @ (value + moved) ** 2)
    return Tailored(scale, shift, moved, 1.0 / math.sqrt(size) if 0.0 < size < math.inf else math.nan)


def _derivatives(use: ActivationUse, z: Array) -> tuple[Array, Array, Array]:
    """φ, φ' and φ'', the last one by differences of the fourth order."""
    leaf = ACTIVATIONS.find(use.name)
    if leaf.value is None or leaf.derivative is None:
        raise moments.NotElementwiseError(f"{use.name} does not act on one number at a time: it has no kernel")
    options = moments.resolved_options(use)
    derivative, step = leaf.derivative, 1e-3
    near, far = (derivative(z + width, **options) - derivative(z - width, **options) for width in (step, 2.0 * step))
    return leaf.value(z, **options), derivative(z, **options), (8.0 * near - far) / (12.0 * step)


def _grid(use: ActivationUse, scale: float, shift: float) -> tuple[Array, Array]:
    """Points and weights of the mean over N(0, 1), in panels that end where the activation bends."""
    leaf = ACTIVATIONS.find(use.name)
    bends = [(kink - shift) / scale for kink in leaf.kinks(**moments.resolved_options(use))] if scale else []
    edges = np.unique([*np.linspace(-REACH, REACH, PANELS + 1), *(bend for bend in bends if abs(bend) < REACH)])
    half = 0.5 * np.diff(edges)[:, None]
    x = (0.5 * (edges[:-1] + edges[1:]))[:, None] + half * NODES
    weights = half * WEIGHTS * np.exp(-0.5 * x * x) / np.sqrt(2.0 * np.pi)
    return x.ravel(), weights.ravel()


def _solved(
    errors: Callable[[Array], Array], starts: list[Array], accepted: Callable[[Array], bool]
) -> Iterator[Array]:
    """Roots that Newton's method finds from the starts, shortened where a step makes it worse."""
    for start in starts:
        point, error = start, errors(start)
        for _ in range(STEPS):
            size = float(np.abs(error).max())
            if not np.isfinite(size) or size < 1e-12:
                break
            point, error = _stepped(errors, point, error)
        if np.isfinite(error).all() and np.abs(error).max() < 1e-9 and accepted(point):
            yield point


def _stepped(errors: Callable[[Array], Array], point: Array, error: Array) -> tuple[Array, Array]:
    """One step of Newton's method with a Jacobian by differences."""
    steps = 1e-6 * np.maximum(np.abs(point), 1e-3)
    columns = [(errors(point + move) - errors(point - move)) / (2.0 * move.sum()) for move in np.diag(steps)]
    jacobian = np.stack(columns, axis=1)
    if not np.isfinite(jacobian).all():
        return point, np.full_like(error, np.nan)
    move = np.linalg.lstsq(jacobian, -error, rcond=None)[0]
    for power in range(12):
        trial = point + move * 0.5**power
        found = errors(trial) if trial[0] != 0.0 else np.full_like(error, np.nan)
        if np.isfinite(found).all() and np.abs(found).max() < np.abs(error).max():
            return trial, found
    return point, np.full_like(error, np.nan)


def _found(solutions: Iterator[Array], use: ActivationUse) -> Array:
    found = next(solutions, None)
    if found is None:
        raise UsageError(f"no scale and shift of {use} was found that gives its kernel the shape asked for")
    return found
