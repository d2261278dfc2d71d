"""The leaky rectifier whose slope is drawn anew for every element, uniformly from [lower, upper].

``value`` and ``derivative`` are what an average over that slope gives, which is also what torch computes in eval mode.
Second moments take the expectation over the slope as well as over z: E a² = (l² + l·u + u²) / 3, not (E a)².
"""

from __future__ import annotations

import numpy as np

from initprobe.activations.base import Activation, Array, activation

LOWER, UPPER = 1.0 / 8.0, 1.0 / 3.0


def mean_square_slope(lower: float, upper: float) -> float:
    """E a² of a slope a ~ U(lower, upper)."""
    return (lower * lower + lower * upper + upper * upper) / 3.0


def value(z: Array, lower: float = LOWER, upper: float = UPPER) -> Array:
    """f(z) = z for z > 0, else the mean slope times z."""
    return np.where(z > 0.0, z, 0.5 * (lower + upper) * z)


def derivative(z: Array, lower: float = LOWER, upper: float = UPPER) -> Array:
    """1 for z > 0, else the mean slope."""
    return np.where(z > 0.0, 1.0, 0.5 * (lower + upper))


def value_square(z: Array, lower: float = LOWER, upper: float = UPPER) -> Array:
    """The mean of f(z)² over the slope."""
    return z * z * derivative_square(z, lower, upper)


def derivative_square(z: Array, lower: float = LOWER, upper: float = UPPER) -> Array:
    """The mean of f'(z)² over the slope."""
    return np.where(z > 0.0, 1.0, mean_square_slope(lower, upper))


activation(
    Activation(
        name="rrelu",
        summary="z for z > 0, else a · z with a ~ U(lower, upper) per element",
        reference="Xu et al. 2015, Empirical Evaluation of Rectified Activations in Convolutional Network",
        modules=("torch.nn.RReLU",),
        functions={
            "torch.nn.functional.rrelu": ("input", "lower", "upper", "training", "inplace"),
            "torch.nn.functional.rrelu_": ("input", "lower", "upper", "training"),
            "torch.rrelu": ("input", "lower", "upper", "training"),
            "torch.rrelu_": ("input", "lower", "upper", "training"),
        },
        value=value,
        derivative=derivative,
        value_square=value_square,
        derivative_square=derivative_square,
        kinks=lambda **_: (0.0,),
        options={"lower": LOWER, "upper": UPPER},
    )
)
