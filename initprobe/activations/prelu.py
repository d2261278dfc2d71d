"""The leaky rectifier whose slope is learned; before the first update it is ``init`` on every channel."""

from __future__ import annotations

import numpy as np

from initprobe.activations.base import Activation, Array, activation


def value(z: Array, init: float = 0.25) -> Array:
    """f(z) = z for z > 0, else init · z."""
    return np.where(z > 0.0, z, init * z)


def derivative(z: Array, init: float = 0.25) -> Array:
    """1 for z > 0, else init."""
    return np.where(z > 0.0, 1.0, init)


activation(
    Activation(
        name="prelu",
        summary="z for z > 0, else a · z with a learned, a = init before the first update",
        reference="He et al. 2015, Delving Deep into Rectifiers",
        modules=("torch.nn.PReLU",),
        functions={
            "torch.nn.functional.prelu": ("input", "weight"),
            "torch.prelu": ("input", "weight"),
            "torch.Tensor.prelu": ("input", "weight"),
        },
        value=value,
        derivative=derivative,
        kinks=lambda **_: (0.0,),
        options={"init": 0.25},
    )
)
