"""What tanh takes away."""

from __future__ import annotations

import numpy as np

from initprobe.activations.base import Activation, Array, activation


def value(z: Array) -> Array:
    """f(z) = z - tanh(z)."""
    return z - np.tanh(z)


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
