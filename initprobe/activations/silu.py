"""The sigmoid linear unit, also called swish."""

from __future__ import annotations

from initprobe.activations.base import Activation, Array, activation, logistic


def value(z: Array) -> Array:
    """f(z) = z · σ(z), σ the logistic function."""
    return z * logistic(z)


def derivative(z: Array) -> Array:
    """σ(z) + z · σ(z) · σ(-z)."""
    return logistic(z) * (1.0 + z * logistic(-z))


activation(
    Activation(
        name="silu",
        summary="z · σ(z), σ the logistic function",
        reference="Elfwing et al. 2018, Sigmoid-Weighted Linear Units; Ramachandran et al. 2017 (swish)",
        modules=("torch.nn.SiLU",),
        functions={"torch.nn.functional.silu": ("input", "inplace")},
        value=value,
        derivative=derivative,
    ),
    aliases=("swish",),
)
