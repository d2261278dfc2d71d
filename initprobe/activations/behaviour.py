"""What an activation does to a signal that passes it layer after layer: which fixed points it has, and which hold.

Everything follows from Gaussian integrals (Poole et al. 2016, arXiv 1606.05340; Schoenholz et al. 2017, arXiv
1611.01232): q is the second moment of the pre-activations, chi_1 what the squared gradient is multiplied by per layer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from initprobe.activations import moments
from initprobe.activations.base import ACTIVATIONS
from initprobe.records import ActivationUse

Kind = Literal["linear", "rectifier", "self_normalizing", "odd", "settling", "drifting", "gated", "joint"]
"""How an activation answers to the scale of its input.

``linear``: none. ``rectifier``: f(c z) = c f(z) for c > 0, so that every scale is kept. ``self_normalizing``: mean 0
and second moment 1 attract without any gain. ``odd``: mean 0, a slope at zero, and a fixed point that attracts.
``settling``: a fixed point that attracts, with a mean. ``drifting``: the fixed point repels. ``gated``: half of the
channels scale the other half. ``joint``: it looks at many numbers at once.
"""

MARGIN = 1e-3
"""How near to 1 the slope of the map of q counts as 1 (relu6 misses it by 7e-8, mish by 0.08)."""

LAYERS = 100
"""How many layers a signal is followed."""

FATE = Literal["settles", "creeps", "shrinks", "grows"]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The Gaussian integrals of one activation at pre-activations of second moment 1.

    Attributes:
        kind: how it answers to the scale of its input.
        mean, second: E f(z) and E f(z)².
        gain: 1 / √(E f²), which keeps the second moment 1.
        chi: what the squared gradient is multiplied by per layer at that gain.
        drift: what a small error of the second moment is multiplied by per layer at that gain; above 1 it grows.
        origin: f'(0), the slope that a vanishing signal sees.
        batch_rate: what the squared gradient is multiplied by per layer with batch normalization before the
            activation, E f'² / Var f.
        dead: whether a unit can fall silent for good.
    """

    kind: Kind
    mean: float
    second: float
    gain: float
    chi: float
    drift: float
    origin: float
    batch_rate: float
    dead: bool


@dataclass(frozen=True, slots=True)
class Fate:
    """Where the second moment goes, layer after layer, from 1.

    Attributes:
        ends: ``settles`` at a fixed point, ``creeps`` towards zero ever more slowly, ``shrinks`` or ``grows`` by a
            factor per layer.
        q: the second moment it has in the end.
        rate: the factor of the last layer.
        chi: what the squared gradient is multiplied by there.
    """

    ends: FATE
    q: float
    rate: float
    chi: float


def behaviour(use: ActivationUse) -> Behaviour:
    """The integrals of an activation and what they make of it.

    Raises:
        NotElementwiseError: it is no function of one number.
        UsageError: it is unknown, or an option is, or it passes no signal at all.
    """
    leaf = ACTIVATIONS.find(use.name)
    mean, second = moments.mean(use), moments.second_moment(use)
    gain = moments.forward_gain(use)
    slope = moments.derivative_second_moment(use)
    drift = moments.second_moment_slope(use) / second
    origin = slope_at_zero(use)
    variance = second - mean * mean
    return Behaviour(
        kind=_kind(mean, second, drift, origin),
        mean=mean,
        second=second,
        gain=gain,
        chi=slope / second,
        drift=drift,
        origin=origin,
        batch_rate=slope / variance if variance > 0.0 else math.inf,
        dead=leaf.dead,
    )


def slope_at_zero(use: ActivationUse) -> float:
    """f'(0); of a kink, the root mean square of both sides, which is what a symmetric signal sees."""
    leaf = ACTIVATIONS.find(use.name)
    if leaf.derivative is None:
        return 0.0
    square = leaf.derivative_square
    options = moments.resolved_options(use)
    sides = np.array([-1e-14, 1e-14])
    squares = leaf.derivative(sides, **options) ** 2 if square is None else square(sides, **options)
    return math.sqrt(float(squares.mean()))


def is_idempotent(use: ActivationUse) -> bool:
    """Whether applying it twice is applying it once: relu and clipping are."""
    leaf = ACTIVATIONS.find(use.name)
    if leaf.value is None:
        return False
    options = moments.resolved_options(use)
    once = leaf.value(np.linspace(-8.0, 8.0, 1025), **options)
    return bool(np.allclose(leaf.value(once, **options), once, rtol=1e-12, atol=1e-12))


def kind_of(name: str) -> Kind | None:
    """The kind of an activation that is no function of one number; None for all others."""
    if ACTIVATIONS.find(name).value is not None:
        return None
    return "gated" if name == "glu" else "joint"


def fate(use: ActivationUse, gain_squared: float) -> Fate:
    """What becomes of a second moment of 1 when every layer's weights have the variance gain² / fan_in."""
    q, rate = 1.0, 1.0
    for _ in range(LAYERS):
        passed = gain_squared * moments.second_moment(use, q)
        rate = passed / q
        q = passed
        if not 1e-30 < q < 1e30 or abs(rate - 1.0) < 1e-9:
            break
    chi = gain_squared * moments.derivative_second_moment(use, q)
    if abs(rate - 1.0) < 1e-4:
        return Fate("settles", q, rate, chi)
    if 0.95 < rate < 1.0:
        return Fate("creeps", q, rate, chi)
    return Fate("shrinks" if rate < 1.0 else "grows", q, rate, chi)


def _kind(mean: float, second: float, drift: float, origin: float) -> Kind:
    if abs(drift - 1.0) < MARGIN:
        return "rectifier"
    if drift > 1.0:
        return "drifting"
    if abs(mean) > 1e-9:
        return "settling"
    if abs(second - 1.0) < 1e-9:
        return "self_normalizing"
    return "odd" if origin > 0.0 else "settling"
