"""What an activation is: a function of one number, its derivative, its kinks, and where torch computes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from initprobe.registry import Registry

Array = NDArray[np.float64]
Elementwise = Callable[..., Array]
"""``f(z, **options)`` on a float64 array of any shape."""


@dataclass(frozen=True, slots=True)
class Activation:
    """One activation.

    Attributes:
        name: its name in YAML and in tables (``leaky_relu``).
        summary: the function as a person writes it, one line.
        reference: the paper that brought it, or empty.
        modules: qualified names of the torch modules that compute it (``torch.nn.LeakyReLU``), the plain one first.
        functions: qualified name of each torch function or method that computes it (``torch.nn.functional.leaky_relu``)
            to the names of its positional parameters, the input first.
        value: f, or None where it does not act on one number at a time (softmax, glu).
        derivative: f', likewise.
        value_square: the mean of f(z)² for an f that is random itself (rrelu); None where it is ``value`` squared.
        derivative_square: likewise for f'.
        kinks: where f, f' or f'' jumps, as a function of the options: quadrature splits its range there.
        options: what changes f (``negative_slope``), with torch's defaults, named like the module's attributes.
        choices: the values that an option which is a word may take.
        dead: whether f is exactly zero on a half-line, so that a unit can die.
    """

    name: str
    summary: str = ""
    reference: str = ""
    modules: tuple[str, ...] = ()
    functions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    value: Elementwise | None = None
    derivative: Elementwise | None = None
    value_square: Elementwise | None = None
    derivative_square: Elementwise | None = None
    kinks: Callable[..., tuple[float, ...]] = lambda **_: ()
    options: Mapping[str, float | str] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dead: bool = False


ACTIVATIONS: Registry[Activation] = Registry("activation", "initprobe.activations", "initprobe.activations")


def activation(leaf: Activation, *, aliases: tuple[str, ...] = ()) -> Activation:
    """Register an activation; a leaf calls this once at module level."""
    ACTIVATIONS.add(leaf.name, leaf, aliases=aliases)
    return leaf


def logistic(z: Array) -> Array:
    """The logistic function 1 / (1 + exp(-z)), without overflow and with all digits in both tails."""
    return np.exp(-np.logaddexp(0.0, -z))
