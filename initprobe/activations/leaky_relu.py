"""The rectifier that lets a little of the negative side through."""

from __future__ import annotations

import numpy as np

from initprobe.activations.base import Activation, Array, activation


def value(z: Array, negative_slope: float = 0.01) -> Array:
    """f(z) = z for z > 0, else negative_slope · z."""
    return np.where(z > 0.0, z, negative_slope * z)


def derivative(z: Array, negative_slope: float = 0.01) -> Array:
    """1 for z > 0, else negative_slope."""
    return np.where(z > 0.0, 1.0, negative_slope)


activation(
    Activation(
        name="leaky_relu",
        summary="z for z > 0, else negative_slope · z",
        reference="Maas et al. 2013, Rectifier Nonlinearities Improve Neural Network Acoustic Models",
        modules=("torch.nn.LeakyReLU",),
        functions={
            "torch.nn.functional.leaky_relu": ("input", "negative_slope", "inplace"),
            "torch.nn.functional.leaky_relu_": ("input", "negative_slope"),
        },
        value=value,
        derivative=derivative,
        kinks=lambda **_: (0.0,),
        options={"negative_slope": 0.01},
    )
)
