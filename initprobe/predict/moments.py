"""What is known of a value before it is computed: the second moments that mean-field theory follows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, Self

from initprobe.records import ActivationUse


class NoPredictionError(Exception):
    """The assumptions of the theory do not hold for an operation; the message says which."""


class Memory(Protocol):
    """What the law of a recurrent step keeps for that of the next one, beside the moments of the value itself."""

    def rescaled(self, factor: float) -> Self:
        """The same in other units: second moments times ``factor``."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The activation that made a value, and the normal distribution of what it was made from."""

    use: ActivationUse
    centre: float
    variance: float


@dataclass(frozen=True, slots=True)
class Moments:
    """The value of one operation, as averages over units, positions, samples and draws of the weights.

    Of two values of one unit, at two positions (pixels, tokens, steps of time) of two samples, four second moments are
    told apart. They are the kernel of Novak et al. 2019 (arXiv 1810.05148), averaged over positions.

    Attributes:
        second: E x², one sample and one position.
        position: E x x' of one sample at two positions.
        pair: E x x' of two samples at one position.
        both: E x x' of two samples at two positions.
        mean: E x.
        spread: variance, over draws, of the logarithm of ``second``: what a finite width leaves open.
        origin: the activation that made it, where that is what one value of it is distributed like.
        memory: what is known of a state beyond its averages.
        parts: moments of each index of the first axis, where it is known that they differ.
    """

    second: float
    position: float = 0.0
    pair: float = 0.0
    both: float = 0.0
    mean: float = 0.0
    spread: float = 0.0
    origin: Origin | None = None
    memory: Memory | None = None
    parts: tuple[Moments, ...] = ()

    def part(self, index: int) -> Moments:
        """The moments of one index of the first axis."""
        whole = sum(part.second for part in self.parts)
        if whole <= 0.0 or not -len(self.parts) <= index < len(self.parts):
            return self
        # An operation in between may have changed the size of the whole and let its parts go on as they were.
        return self.parts[index].rescaled(self.second * len(self.parts) / whole)

    def scaled(self, factor: float) -> Moments:
        """The moments of the value times a random factor of that second moment and mean zero, or times its root."""
        return replace(
            self,
            second=self.second * factor,
            position=self.position * factor,
            pair=self.pair * factor,
            both=self.both * factor,
            origin=None,
            memory=None,
            parts=(),
        )

    def rescaled(self, factor: float) -> Moments:
        """The same value in other units: all second moments times ``factor``, the mean times its root."""
        origin, root = self.origin, factor**0.5
        return replace(
            self.scaled(factor),
            mean=self.mean * root,
            origin=None if origin is None else Origin(origin.use, origin.centre * root, origin.variance * factor),
            memory=None if self.memory is None else self.memory.rescaled(factor),
            parts=tuple(part.rescaled(factor) for part in self.parts),
        )

    def shared(self, positions: float, samples: float) -> float:
        """E (mean over ``positions`` and ``samples``)²: what all of them have in common."""
        own = self.second + (positions - 1.0) * self.position
        other = self.pair + (positions - 1.0) * self.both
        return (own + (samples - 1.0) * other) / (positions * samples)

    def alike(self, positions: float, samples: float) -> float:
        """Mean squared cosine over all pairs of places, each with itself included: 1 where all are the same."""
        if self.second <= 0.0:
            return 1.0
        squares = [(value / self.second) ** 2 for value in (self.position, self.pair, self.both)]
        own = 1.0 + (positions - 1.0) * squares[0]
        other = squares[1] + (positions - 1.0) * squares[2]
        return min(1.0, (own + (samples - 1.0) * other) / (positions * samples))


@dataclass(frozen=True, slots=True)
class Gradient:
    """The gradient of the objective towards a value; gradients of two samples share nothing.

    Attributes:
        second: E g², one sample and one position.
        position: E g g' of one sample at two positions.
        spread: as that of ``Moments``.
        memory: what is known of a state's gradient beyond its average.
        parts: how much of ``second`` lies at one index of an axis, as (axis, index, second); the rest lies everywhere.
    """

    second: float
    position: float = 0.0
    spread: float = 0.0
    memory: Memory | None = None
    parts: tuple[tuple[int, int, float], ...] = ()

    def scaled(self, factor: float, reach: float = 1.0) -> Gradient:
        """Its second moment times ``factor``, and that over two positions ``reach`` times as much of it."""
        return Gradient(self.second * factor, self.position * factor * reach, self.spread)

    def rescaled(self, factor: float) -> Gradient:
        """The same gradient in other units."""
        memory = None if self.memory is None else self.memory.rescaled(factor)
        parts = tuple((axis, index, second * factor) for axis, index, second in self.parts)
        return replace(self.scaled(factor), memory=memory, parts=parts)

    def plus(self, other: Gradient | None) -> Gradient:
        """The sum of two independent gradients."""
        if other is None:
            return self
        second = self.second + other.second
        spread = 0.0
        if second > 0.0:
            spread = (self.second**2 * self.spread + other.second**2 * other.spread) / second**2
        both = self.memory is not None and other.memory is not None
        memory = None if both else self.memory or other.memory
        return Gradient(second, self.position + other.position, spread, memory, self.parts + other.parts)
