"""Activations that act on each number by itself, by the names that options of layers take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import nn

Pointwise = Literal[
    "relu",
    "gelu",
    "gelu_tanh",
    "silu",
    "tanh",
    "sigmoid",
    "leaky_relu",
    "elu",
    "selu",
    "mish",
    "softplus",
    "hardswish",
    "relu6",
    "none",
]

MODULES: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "gelu_tanh": lambda: nn.GELU(approximate="tanh"),
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
    "hardswish": nn.Hardswish,
    "relu6": nn.ReLU6,
    "none": nn.Identity,
}
"""What builds each of them."""
