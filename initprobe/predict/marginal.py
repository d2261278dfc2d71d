"""How one value is distributed, where it is not normal: a few atoms, and a normal part on top of each.

A residual stream that is rectified again and again is far from normal, while every join adds something normal to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from statistics import NormalDist

import numpy as np

from initprobe.activations.base import ACTIVATIONS, Array
from initprobe.activations.moments import resolved_options
from initprobe.records import ActivationUse

ATOMS = 128
"""Atoms of a distribution, each as likely as the others."""

FINE = 32
"""Values of the normal part for each atom, and atoms' worth of values where there is only a normal part."""


@dataclass(frozen=True, slots=True)
class Marginal:
    """x = a + √variance z, with a one of the atoms, each as likely as the others, and z ~ N(0, 1).

    Attributes:
        atoms: in ascending order.
        variance: of the normal part.
    """

    atoms: tuple[float, ...]
    variance: float = 0.0

    def read(self) -> Marginal:
        """Itself: nothing is left to be computed."""
        return self

    def rescaled(self, factor: float) -> Marginal:
        """The same in other units: the second moment times ``factor``."""
        root = factor**0.5
        return Marginal(tuple(atom * root for atom in self.atoms), self.variance * factor)

    def plus(self, mean: float, variance: float) -> Marginal:
        """Something normal added to it."""
        return Marginal(tuple(atom + mean for atom in self.atoms), self.variance + variance)

    def values(self) -> Array:
        """Values that stand for the distribution, in ascending order, each as likely as the others."""
        if self.variance <= 0.0:
            return np.array(self.atoms)
        spread = normal(FINE) * self.variance**0.5
        values: Array = np.sort((np.array(self.atoms)[:, None] + spread).ravel())
        return values


@dataclass(frozen=True, slots=True)
class Unread:
    """The distribution behind an activation, as long as nobody asks for it.

    Attributes:
        use: the activation.
        centre, variance: of the normal value that it was made from.
        factor: what the second moment was multiplied with since.
    """

    use: ActivationUse
    centre: float
    variance: float
    factor: float = 1.0

    def rescaled(self, factor: float) -> Unread:
        """The same in other units."""
        return replace(self, factor=self.factor * factor)

    def read(self) -> Marginal:
        """The distribution."""
        return _behind(self.use, self.centre, self.variance).rescaled(self.factor)


@lru_cache(maxsize=1024)
def _behind(use: ActivationUse, centre: float, variance: float) -> Marginal:
    return thinned(applied(use)(normal_values(centre, variance)))


def normal_values(centre: float, variance: float) -> Array:
    """Values that stand for N(centre, variance), in ascending order."""
    values: Array = centre + max(0.0, variance) ** 0.5 * normal(ATOMS * FINE)
    return values


def thinned(values: Array) -> Marginal:
    """The distribution of some values, each as likely as the others."""
    ordered = np.sort(values)
    number = min(ATOMS, ordered.size)
    even = ordered[: ordered.size - ordered.size % number].reshape(number, -1)
    return Marginal(tuple(even.mean(axis=1).tolist()))


def applied(use: ActivationUse, which: str = "value") -> Callable[[Array], Array]:
    """An elementwise activation, or with ``derivative`` its derivative, with its options filled in."""
    leaf = ACTIVATIONS.find(use.name)
    options, function = resolved_options(use), leaf.value if which == "value" else leaf.derivative
    if function is None:
        raise ValueError(f"{use.name} is no function of one number")
    return lambda x: function(x, **options)


@lru_cache(maxsize=256)
def opened(use: ActivationUse, marginal: Marginal, mean: float, variance: float) -> tuple[float, ...]:
    """E f'(a + y)² for each atom a, over its mean, where y is normal: which values of a let gradients through."""
    noise = normal_values(mean, variance)[:: FINE // 4]
    slopes = (applied(use, "derivative")(np.array(marginal.atoms)[:, None] + noise) ** 2).mean(axis=1)
    whole = float(slopes.mean())
    return tuple(float(slope) / whole for slope in slopes) if whole > 0.0 else ()


def largest_of(number: float, count: int) -> Array:
    """How likely each of ``count`` values in ascending order is the largest of ``number`` independent draws."""
    edges = np.linspace(0.0, 1.0, count + 1) ** number
    likely: Array = np.diff(edges)
    return likely


@cache
def normal(number: int) -> Array:
    """So many values in ascending order that stand for N(0, 1), with its variance."""
    inverse = NormalDist().inv_cdf
    values = np.array([inverse((place + 0.5) / number) for place in range(number)])
    standard: Array = values / np.sqrt(np.mean(values**2))
    return standard
