"""The identity above a threshold, a constant below; torch requires both numbers, the rectifier is what 0 and 0 give."""

from __future__ import annotations

import numpy as np

from initprobe.activations.base import Activation, Array, activation


def compute(z: Array, threshold: float = 0.0, value: float = 0.0) -> Array:
    """f(z) = z for z > threshold, else value."""
    return np.where(z > threshold, z, value)


def derivative(z: Array, threshold: float = 0.0, value: float = 0.0) -> Array:  # noqa: ARG001 - f takes it
    """1 for z > threshold, else 0."""
    return (z > threshold).astype(np.float64)


activation(
    Activation(
        name="threshold",
        summary="z for z > threshold, else value",
        modules=("torch.nn.Threshold",),
        functions={
            "torch.nn.functional.threshold": ("input", "threshold", "value", "inplace"),
            "torch.nn.functional.threshold_": ("input", "threshold", "value"),
            "torch.threshold": ("input", "threshold", "value"),
            "torch.threshold_": ("input", "threshold", "value"),
        },
        value=compute,
        derivative=derivative,
        kinks=lambda threshold, **_: (threshold,),
        options={"threshold": 0.0, "value": 0.0},
        dead=True,
    )
)
