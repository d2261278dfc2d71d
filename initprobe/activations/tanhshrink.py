"""What tanh takes away."""

from __future__ import annotations

import numpy as np

from initprobe.activations.base import Activation, Array, activation

SERIES = (1 / 3, -2 / 15, 17 / 315, -62 / 2835, 1382 / 155925, -21844 / 6081075)
"""Coefficients of z³, z⁵ ... of z - tanh(z)."""


def value(z: Array) -> Array:
    """f(z) = z - tanh(z); near zero, where the two cancel, by its power series."""
    return np.where(np.abs(z) < 0.1, z**3 * np.polynomial.polynomial.polyval(z * z, SERIES), z - np.tanh(z))


def derivative(z: Array) -> Array:
    """tanh²(z)."""
    return np.tanh(z) ** 2


activation(
    Activation(
        name="tanhshrink",
        summary="z - tanh(z)",
        modules=("torch.nn.Tanhshrink",),
        functions={"torch.nn.functional.tanhshrink": ("input",)},
        value=value,
        derivative=derivative,
    )
)
