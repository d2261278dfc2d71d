"""The identity, with an interval around zero set to zero."""

from __future__ import annotations

import numpy as np

from initprobe.activations.base import Activation, Array, activation


def value(z: Array, lambd: float = 0.5) -> Array:
    """f(z) = z for abs(z) > lambd, else 0."""
    return np.where(np.abs(z) > lambd, z, 0.0)


def derivative(z: Array, lambd: float = 0.5) -> Array:
    """1 for abs(z) > lambd, else 0; the jumps at ±lambd carry no gradient."""
    return (np.abs(z) > lambd).astype(np.float64)


activation(
    Activation(
        name="hardshrink",
        summary="z for abs(z) > lambd, else 0",
        reference="Donoho & Johnstone 1994, Ideal spatial adaptation by wavelet shrinkage",
        modules=("torch.nn.Hardshrink",),
        functions={
            "torch.nn.functional.hardshrink": ("input", "lambd"),
            "torch.hardshrink": ("input", "lambd"),
            "torch.Tensor.hardshrink": ("input", "lambd"),
        },
        value=value,
        derivative=derivative,
        kinks=lambda lambd: (-lambd, lambd),
        options={"lambd": 0.5},
    )
)
