"""The exponential linear unit made smooth for every alpha."""

from __future__ import annotations

import numpy as np

from initprobe.activations.base import Activation, Array, activation


def value(z: Array, alpha: float = 1.0) -> Array:
    """f(z) = z for z > 0, else alpha · (exp(z / alpha) - 1)."""
    return np.where(z > 0.0, z, alpha * np.expm1(np.minimum(z / alpha, 0.0)))


def derivative(z: Array, alpha: float = 1.0) -> Array:
    """1 for z > 0, else exp(z / alpha)."""
    return np.where(z > 0.0, 1.0, np.exp(np.minimum(z / alpha, 0.0)))


activation(
    Activation(
        name="celu",
        summary="z for z > 0, else alpha · (exp(z / alpha) - 1)",
        reference="Barron 2017, Continuously Differentiable Exponential Linear Units",
        modules=("torch.nn.CELU",),
        functions={
            "torch.nn.functional.celu": ("input", "alpha", "inplace"),
            "torch.nn.functional.celu_": ("input", "alpha"),
            "torch.celu": ("input", "alpha"),
            "torch.celu_": ("input", "alpha"),
        },
        value=value,
        derivative=derivative,
        kinks=lambda **_: (0.0,),
        options={"alpha": 1.0},
    )
)
