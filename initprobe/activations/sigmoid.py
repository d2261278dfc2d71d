"""The logistic function."""

from __future__ import annotations

from initprobe.activations.base import Activation, Array, activation, logistic


def derivative(z: Array) -> Array:
    """σ(z) · σ(-z)."""
    return logistic(z) * logistic(-z)


activation(
    Activation(
        name="sigmoid",
        summary="1 / (1 + exp(-z))",
        reference="Glorot & Bengio 2010, section 3: why it saturates with usual inits",
        modules=("torch.nn.Sigmoid",),
        functions={
            "torch.nn.functional.sigmoid": ("input",),
            "torch.sigmoid": ("input",),
            "torch.sigmoid_": ("input",),
            "torch.Tensor.sigmoid": ("input",),
            "torch.Tensor.sigmoid_": ("input",),
            "torch.special.expit": ("input",),
        },
        value=logistic,
        derivative=derivative,
    )
)
