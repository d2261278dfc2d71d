"""The logistic function in three straight pieces."""

from __future__ import annotations

import numpy as np

from initprobe.activations.base import Activation, Array, activation


def value(z: Array) -> Array:
    """min(max(z + 3, 0), 6) / 6."""
    return np.clip(z + 3.0, 0.0, 6.0) / 6.0


def derivative(z: Array) -> Array:
    """1/6 for -3 < z < 3, else 0."""
    return ((z > -3.0) & (z < 3.0)) / 6.0


activation(
    Activation(
        name="hardsigmoid",
        summary="min(max(z + 3, 0), 6) / 6",
        reference="Howard et al. 2019, Searching for MobileNetV3",
        modules=("torch.nn.Hardsigmoid",),
        functions={"torch.nn.functional.hardsigmoid": ("input", "inplace")},
        value=value,
        derivative=derivative,
        kinks=lambda **_: (-3.0, 3.0),
        dead=True,
    )
)
