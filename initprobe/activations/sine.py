"""The sine, as in implicit neural representations."""

from __future__ import annotations

import numpy as np

from initprobe.activations.base import Activation, Array, activation


def value(z: Array) -> Array:
    """sin(z)."""
    return np.sin(z)


def derivative(z: Array) -> Array:
    """cos(z)."""
    return np.cos(z)


activation(
    Activation(
        name="sine",
        summary="sin(z)",
        reference="Sitzmann et al. 2020, Implicit Neural Representations with Periodic Activation Functions",
        functions={
            "torch.sin": ("input",),
            "torch.sin_": ("input",),
            "torch.Tensor.sin": ("input",),
            "torch.Tensor.sin_": ("input",),
        },
        value=value,
        derivative=derivative,
    ),
    aliases=("sin",),
)
