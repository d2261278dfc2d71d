"""A sigmoid whose tails fall slowly."""

from __future__ import annotations

import numpy as np

from initprobe.activations.base import Activation, Array, activation


def value(z: Array) -> Array:
    """f(z) = z / (1 + abs(z))."""
    return z / (1.0 + np.abs(z))


def derivative(z: Array) -> Array:
    """1 / (1 + abs(z))²."""
    return (1.0 + np.abs(z)) ** -2.0


activation(
    Activation(
        name="softsign",
        summary="z / (1 + abs(z))",
        reference="Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward networks",
        modules=("torch.nn.Softsign",),
        functions={"torch.nn.functional.softsign": ("input",)},
        value=value,
        derivative=derivative,
        kinks=lambda **_: (0.0,),
    )
)
