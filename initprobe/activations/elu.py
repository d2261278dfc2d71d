"""The exponential linear unit."""

from __future__ import annotations

import numpy as np

from initprobe.activations.base import Activation, Array, activation


def value(z: Array, alpha: float = 1.0) -> Array:
    """f(z) = z for z > 0, else alpha · (exp(z) - 1)."""
    return np.where(z > 0.0, z, alpha * np.expm1(np.minimum(z, 0.0)))


def derivative(z: Array, alpha: float = 1.0) -> Array:
    """1 for z > 0, else alpha · exp(z)."""
    return np.where(z > 0.0, 1.0, alpha * np.exp(np.minimum(z, 0.0)))


activation(
    Activation(
        name="elu",
        summary="z for z > 0, else alpha · (exp(z) - 1)",
        reference="Clevert et al. 2016, Fast and Accurate Deep Network Learning by Exponential Linear Units",
        modules=("torch.nn.ELU",),
        functions={
            "torch.nn.functional.elu": ("input", "alpha", "inplace"),
            "torch.nn.functional.elu_": ("input", "alpha"),
        },
        value=value,
        derivative=derivative,
        kinks=lambda **_: (0.0,),
        options={"alpha": 1.0},
    )
)
