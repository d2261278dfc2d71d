"""The rectifier: identity above zero, silent below."""

from __future__ import annotations

import numpy as np

from initprobe.activations.base import Activation, Array, activation


def value(z: Array) -> Array:
    """max(0, z)."""
    return np.maximum(z, 0.0)


def derivative(z: Array) -> Array:
    """1 for z > 0, else 0 (torch takes 0 at the kink)."""
    return (z > 0.0).astype(np.float64)


activation(
    Activation(
        name="relu",
        summary="max(0, z)",
        reference="Nair & Hinton 2010, Rectified Linear Units Improve Restricted Boltzmann Machines",
        modules=("torch.nn.ReLU",),
        functions={
            "torch.nn.functional.relu": ("input", "inplace"),
            "torch.nn.functional.relu_": ("input",),
            "torch.relu": ("input",),
            "torch.relu_": ("input",),
            "torch.Tensor.relu": ("input",),
            "torch.Tensor.relu_": ("input",),
        },
        value=value,
        derivative=derivative,
        kinks=lambda **_: (0.0,),
        dead=True,
    )
)
