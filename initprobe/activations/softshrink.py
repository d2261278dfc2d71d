"""The identity pulled towards zero by a constant, zero in between."""

from __future__ import annotations

import numpy as np

from initprobe.activations.base import Activation, Array, activation


def value(z: Array, lambd: float = 0.5) -> Array:
    """sign(z) · max(abs(z) - lambd, 0)."""
    return np.sign(z) * np.maximum(np.abs(z) - lambd, 0.0)


def derivative(z: Array, lambd: float = 0.5) -> Array:
    """1 for abs(z) > lambd, else 0."""
    return (np.abs(z) > lambd).astype(np.float64)


activation(
    Activation(
        name="softshrink",
        summary="sign(z) · max(abs(z) - lambd, 0)",
        reference="Donoho & Johnstone 1994, Ideal spatial adaptation by wavelet shrinkage",
        modules=("torch.nn.Softshrink",),
        functions={"torch.nn.functional.softshrink": ("input", "lambd")},
        value=value,
        derivative=derivative,
        kinks=lambda lambd: (-lambd, lambd),
        options={"lambd": 0.5},
    )
)
