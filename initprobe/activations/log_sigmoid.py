"""The logarithm of the logistic function."""

from __future__ import annotations

import numpy as np

from initprobe.activations.base import Activation, Array, activation, logistic


def value(z: Array) -> Array:
    """-ln(1 + exp(-z))."""
    return -np.logaddexp(0.0, -z)


def derivative(z: Array) -> Array:
    """σ(-z)."""
    return logistic(-z)


activation(
    Activation(
        name="log_sigmoid",
        summary="-ln(1 + exp(-z))",
        modules=("torch.nn.LogSigmoid",),
        functions={"torch.nn.functional.logsigmoid": ("input",)},
        value=value,
        derivative=derivative,
    ),
    aliases=("logsigmoid",),
)
