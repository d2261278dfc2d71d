"""The exponential linear unit scaled so that (mean, variance) = (0, 1) is a stable fixed point."""

from __future__ import annotations

import numpy as np

from initprobe.activations.base import Activation, Array, activation

ALPHA = 1.6732632423543772848170429916717
SCALE = 1.0507009873554804934193349852946


def value(z: Array) -> Array:
    """SCALE · z for z > 0, else SCALE · ALPHA · (exp(z) - 1)."""
    return SCALE * np.where(z > 0.0, z, ALPHA * np.expm1(np.minimum(z, 0.0)))


def derivative(z: Array) -> Array:
    """SCALE for z > 0, else SCALE · ALPHA · exp(z)."""
    return SCALE * np.where(z > 0.0, 1.0, ALPHA * np.exp(np.minimum(z, 0.0)))


activation(
    Activation(
        name="selu",
        summary="1.0507 · z for z > 0, else 1.7581 · (exp(z) - 1)",
        reference="Klambauer et al. 2017, Self-Normalizing Neural Networks",
        modules=("torch.nn.SELU",),
        functions={
            "torch.nn.functional.selu": ("input", "inplace"),
            "torch.nn.functional.selu_": ("input",),
            "torch.selu": ("input",),
            "torch.selu_": ("input",),
        },
        value=value,
        derivative=derivative,
        kinks=lambda **_: (0.0,),
    )
)
