"""The rectifier with a ceiling at six."""

from __future__ import annotations

import numpy as np

from initprobe.activations.base import Activation, Array, activation


def value(z: Array) -> Array:
    """min(max(0, z), 6)."""
    return np.clip(z, 0.0, 6.0)


def derivative(z: Array) -> Array:
    """1 for 0 < z < 6, else 0."""
    return ((z > 0.0) & (z < 6.0)).astype(np.float64)


activation(
    Activation(
        name="relu6",
        summary="min(max(0, z), 6)",
        reference="Krizhevsky 2010, Convolutional Deep Belief Networks on CIFAR-10",
        modules=("torch.nn.ReLU6",),
        functions={"torch.nn.functional.relu6": ("input", "inplace")},
        value=value,
        derivative=derivative,
        kinks=lambda **_: (0.0, 6.0),
        dead=True,
    )
)
