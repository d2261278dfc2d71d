"""The smooth rectifier."""

from __future__ import annotations

import numpy as np

from initprobe.activations.base import Activation, Array, activation, logistic


def value(z: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """ln(1 + exp(beta · z)) / beta, and z itself where beta · z > threshold."""
    return np.where(beta * z > threshold, z, np.logaddexp(0.0, beta * z) / beta)


def derivative(z: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """σ(beta · z), and 1 where beta · z > threshold."""
    return np.where(beta * z > threshold, 1.0, logistic(beta * z))


activation(
    Activation(
        name="softplus",
        summary="ln(1 + exp(beta · z)) / beta, linear where beta · z > threshold",
        reference="Dugas et al. 2001, Incorporating Second-Order Functional Knowledge for Better Option Pricing",
        modules=("torch.nn.Softplus",),
        functions={"torch.nn.functional.softplus": ("input", "beta", "threshold")},
        value=value,
        derivative=derivative,
        kinks=lambda beta, threshold: (threshold / beta,),
        options={"beta": 1.0, "threshold": 20.0},
    )
)
