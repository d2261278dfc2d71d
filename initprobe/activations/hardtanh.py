"""The identity cut off at both ends."""

from __future__ import annotations

import numpy as np

from initprobe.activations.base import Activation, Array, activation


def value(z: Array, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    """min(max(z, min_val), max_val)."""
    return np.clip(z, min_val, max_val)


def derivative(z: Array, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    """1 between min_val and max_val, else 0."""
    return ((z > min_val) & (z < max_val)).astype(np.float64)


activation(
    Activation(
        name="hardtanh",
        summary="min(max(z, min_val), max_val)",
        reference="Collobert 2004, Large Scale Machine Learning",
        modules=("torch.nn.Hardtanh",),
        functions={
            "torch.nn.functional.hardtanh": ("input", "min_val", "max_val", "inplace"),
            "torch.nn.functional.hardtanh_": ("input", "min_val", "max_val"),
        },
        value=value,
        derivative=derivative,
        kinks=lambda min_val, max_val: (min_val, max_val),
        options={"min_val": -1.0, "max_val": 1.0},
    )
)
