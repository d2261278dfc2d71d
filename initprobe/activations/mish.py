"""Mish: z times the tanh of its softplus."""

from __future__ import annotations

import numpy as np

from initprobe.activations.base import Activation, Array, activation, logistic


def value(z: Array) -> Array:
    """f(z) = z · tanh(softplus(z))."""
    return z * np.tanh(np.logaddexp(0.0, z))


def derivative(z: Array) -> Array:
    """tanh(s) + z · σ(z) · (1 - tanh²(s)) with s = softplus(z)."""
    t = np.tanh(np.logaddexp(0.0, z))
    return t + z * logistic(z) * (1.0 - t * t)


activation(
    Activation(
        name="mish",
        summary="z · tanh(ln(1 + exp(z)))",
        reference="Misra 2019, Mish: A Self Regularized Non-Monotonic Activation Function",
        modules=("torch.nn.Mish",),
        functions={"torch.nn.functional.mish": ("input", "inplace")},
        value=value,
        derivative=derivative,
    )
)
