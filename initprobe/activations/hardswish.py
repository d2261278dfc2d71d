"""SiLU in pieces: z times the hard sigmoid."""

from __future__ import annotations

import numpy as np

from initprobe.activations.base import Activation, Array, activation


def value(z: Array) -> Array:
    """f(z) = z · min(max(z + 3, 0), 6) / 6."""
    return z * np.clip(z + 3.0, 0.0, 6.0) / 6.0


def derivative(z: Array) -> Array:
    """0 below -3, 1 above 3, (2z + 3) / 6 between."""
    return np.where(z >= 3.0, 1.0, np.where(z <= -3.0, 0.0, (2.0 * z + 3.0) / 6.0))


activation(
    Activation(
        name="hardswish",
        summary="z · min(max(z + 3, 0), 6) / 6",
        reference="Howard et al. 2019, Searching for MobileNetV3",
        modules=("torch.nn.Hardswish",),
        functions={"torch.nn.functional.hardswish": ("input", "inplace")},
        value=value,
        derivative=derivative,
        kinks=lambda **_: (-3.0, 3.0),
        dead=True,
    )
)
