"""The Gaussian error linear unit, exact or by its tanh approximation."""

from __future__ import annotations

import math

import numpy as np

from initprobe.activations.base import Activation, Array, activation

erfc = np.vectorize(math.erfc, otypes=[np.float64])
"""numpy has no error function."""


def tanh_argument(z: Array) -> Array:
    """√(2/π) · (z + 0.044715 z³)."""
    return math.sqrt(2.0 / math.pi) * (z + 0.044715 * z**3)


def value(z: Array, approximate: str = "none") -> Array:
    """f(z) = z · Φ(z), Φ the normal distribution function or its approximation by tanh."""
    if approximate == "tanh":
        return 0.5 * z * (1.0 + np.tanh(tanh_argument(z)))
    return np.asarray(0.5 * z * erfc(-z / math.sqrt(2.0)))


def derivative(z: Array, approximate: str = "none") -> Array:
    """Φ(z) + z · φ(z), or the derivative of the approximation."""
    if approximate == "tanh":
        t = np.tanh(tanh_argument(z))
        slope = math.sqrt(2.0 / math.pi) * (1.0 + 3.0 * 0.044715 * z * z)
        return 0.5 * (1.0 + t) + 0.5 * z * (1.0 - t * t) * slope
    density = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    return np.asarray(0.5 * erfc(-z / math.sqrt(2.0)) + z * density)


activation(
    Activation(
        name="gelu",
        summary="z · Φ(z), Φ the normal distribution function (approximate: none | tanh)",
        reference="Hendrycks & Gimpel 2016, Gaussian Error Linear Units",
        modules=("torch.nn.GELU",),
        functions={"torch.nn.functional.gelu": ("input",)},
        value=value,
        derivative=derivative,
        options={"approximate": "none"},
        choices={"approximate": ("none", "tanh")},
    )
)
