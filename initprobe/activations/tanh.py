"""The hyperbolic tangent."""

from __future__ import annotations

import numpy as np

from initprobe.activations.base import Activation, Array, activation


def value(z: Array) -> Array:
    """tanh(z)."""
    return np.tanh(z)


def derivative(z: Array) -> Array:
    """1 - tanh²(z), written as 1 / cosh² so that its tails keep their digits."""
    decay = np.exp(-2.0 * np.abs(z))
    return 4.0 * decay / (1.0 + decay) ** 2


activation(
    Activation(
        name="tanh",
        summary="tanh(z)",
        reference="LeCun et al. 1998, Efficient BackProp",
        modules=("torch.nn.Tanh",),
        functions={
            "torch.nn.functional.tanh": ("input",),
            "torch.tanh": ("input",),
            "torch.tanh_": ("input",),
            "torch.Tensor.tanh": ("input",),
            "torch.Tensor.tanh_": ("input",),
        },
        value=value,
        derivative=derivative,
    )
)
