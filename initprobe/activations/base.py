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
        modules: qualified names of the torch modules that compute it (``torch.nn.LeakyReLU``), the plain one first.
        functions: qualified name of each torch function or method that computes it (``torch.nn.functional.leaky_relu``)
            to the names of its positional parameters, the input first.
        value: f, or None where it does not act on one number at a time (softmax, glu).
        derivative: f', likewise.
        kinks: where f' jumps, as a function of the options.
        options: the numbers that change f (``negative_slope``), with torch's defaults.
        dead: whether f is exactly zero on a half-line, so that a unit can die.
    """

    name: str
    modules: tuple[str, ...] = ()
    functions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    value: Elementwise | None = None
    derivative: Elementwise | None = None
    kinks: Callable[..., tuple[float, ...]] = lambda **_: ()
    options: Mapping[str, float | str] = field(default_factory=dict)
    dead: bool = False


ACTIVATIONS: Registry[Activation] = Registry("activation", "initprobe.activations", "initprobe.activations")


def activation(leaf: Activation, *, aliases: tuple[str, ...] = ()) -> Activation:
    """Register an activation; a leaf calls this once at module level."""
    ACTIVATIONS.add(leaf.name, leaf, aliases=aliases)
    return leaf
