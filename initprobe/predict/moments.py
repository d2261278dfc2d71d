"""What is known of a value before it is computed: the second moments that mean-field theory follows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

from initprobe.predict.marginal import Marginal, Unread
from initprobe.records import ActivationUse


class NoPredictionError(Exception):
    """The assumptions of the theory do not hold for an operation; the message says which."""


class Memory(Protocol):
    """What the law of a recurrent step keeps for that of the next one, beside the moments of the value itself."""

    def rescaled(self, factor: float) -> Self:
        """The same in other units: second moments times ``factor``."""


@dataclass(frozen=True, slots=True)
class ParameterMoments:
    """A parameter as it was drawn.

    Attributes:
        second: mean of its squares.
        mean: its mean, 0 where it is not told from 0 at five standard errors.
        taps: share of the squares at every tap of a kernel; empty where all are alike.
        centred: whether the weights of every unit have mean 0 on purpose, so that what all inputs share is lost.
    """

    second: float
    mean: float = 0.0
    taps: tuple[float, ...] = ()
    centred: bool = False


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
        marginal: how one value is distributed, None where it is normal.
        kinds: positions of different kinds (a class token among patches) with the part of all that each kind has, and
            its own moments; empty where all positions are alike. The other numbers are averages over all.
        memory: what is known of a state beyond its averages.
        parts: moments of each index of the first axis, where it is known that they differ.
    """

    second: float
    position: float = 0.0
    pair: float = 0.0
    both: float = 0.0
    mean: float = 0.0
    spread: float = 0.0
    marginal: Marginal | Unread | None = None
    kinds: tuple[tuple[float, Moments], ...] = ()
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
            marginal=None,
            kinds=(),
            memory=None,
            parts=(),
        )

    def without_mean(self) -> Moments:
        """The value less the mean over all of its units."""
        common = self.mean**2
        own = (self.second - common, self.position - common, self.pair - common, self.both - common)
        return Moments(*own, spread=self.spread)

    def rescaled(self, factor: float) -> Moments:
        """The same value in other units: all second moments times ``factor``, the mean times its root."""
        return replace(
            self.scaled(factor),
            mean=self.mean * factor**0.5,
            marginal=None if self.marginal is None else self.marginal.rescaled(factor),
            kinds=tuple((part, kind.rescaled(factor)) for part, kind in self.kinds),
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
        largest: of how many values each window's largest took all of the gradient; 1 where every value has its own.
        passed: the activation that it came through last, where nothing lies between.
        profile: how much larger E g² is than ``second`` where the value is large or small, for each atom of the value's
            marginal; empty where it makes no difference.
        kinds: as those of ``Moments``.
        memory: what is known of a state's gradient beyond its average.
        parts: how much of ``second`` lies at one index of an axis, as (axis, index, second); the rest lies everywhere.
    """

    second: float
    position: float = 0.0
    spread: float = 0.0
    largest: int = 1
    passed: ActivationUse | None = None
    profile: tuple[float, ...] = ()
    kinds: tuple[tuple[float, Gradient], ...] = ()
    memory: Memory | None = None
    parts: tuple[tuple[int, int, float], ...] = ()

    def scaled(self, factor: float, reach: float = 1.0) -> Gradient:
        """Its second moment times ``factor``, and that over two positions ``reach`` times as much of it."""
        return Gradient(self.second * factor, self.position * factor * reach, self.spread)

    def rescaled(self, factor: float) -> Gradient:
        """The same gradient in other units."""
        return replace(
            self,
            second=self.second * factor,
            position=self.position * factor,
            kinds=tuple((part, kind.rescaled(factor)) for part, kind in self.kinds),
            memory=None if self.memory is None else self.memory.rescaled(factor),
            parts=tuple((axis, index, second * factor) for axis, index, second in self.parts),
        )

    def plus(self, other: Gradient | None) -> Gradient:
        """The sum of two independent gradients."""
        if other is None:
            return self
        kinds: tuple[tuple[float, Gradient], ...] = ()
        if self.kinds or other.kinds:
            both = zip(self.kinds_like(other), other.kinds_like(self), strict=True)
            kinds = tuple((part, own.plus(its)) for (part, own), (_, its) in both)
        second = self.second + other.second
        spread = 0.0
        if second > 0.0:
            spread = (self.second**2 * self.spread + other.second**2 * other.spread) / second**2
        profile = self._profile_with(other, second)
        remembered = self.memory is not None and other.memory is not None
        memory = None if remembered else self.memory or other.memory
        return Gradient(
            second=second,
            position=self.position + other.position,
            spread=spread,
            profile=profile,
            kinds=kinds,
            memory=memory,
            parts=self.parts + other.parts,
        )

    def _profile_with(self, other: Gradient, second: float) -> tuple[float, ...]:
        size = max(len(self.profile), len(other.profile))
        if not size or second <= 0.0 or {len(self.profile), len(other.profile)} - {0, size}:
            return ()
        own, its = self.profile or (1.0,) * size, other.profile or (1.0,) * size
        part = self.second / second
        return tuple(part * mine + (1.0 - part) * theirs for mine, theirs in zip(own, its, strict=True))

    def kinds_like(self, other: Gradient) -> tuple[tuple[float, Gradient], ...]:
        """Its kinds, those of ``other`` where all of its own positions are alike."""
        return self.kinds or tuple((part, replace(self, kinds=())) for part, _ in other.kinds)


def pooled(kinds: Sequence[tuple[float, Moments]]) -> Moments:
    """The average over kinds of positions."""

    def mean(name: str) -> float:
        return math.fsum(part * float(getattr(kind, name)) for part, kind in kinds)

    # Two positions are of one kind as often as the square of its part; of two kinds, they share what means share.
    crossing = 1.0 - math.fsum(part**2 for part, _ in kinds)
    within = [math.fsum(part**2 * float(getattr(kind, name)) for part, kind in kinds) for name in ("position", "both")]
    common = mean("mean") ** 2 * crossing
    return Moments(
        second=mean("second"),
        position=within[0] + common,
        pair=mean("pair"),
        both=within[1] + common,
        mean=mean("mean"),
        spread=mean("spread"),
        kinds=tuple(kinds),
    )


def averaged(parts: Sequence[tuple[float, Moments]]) -> Moments:
    """The average over units, so many of each part: positions are the same in all parts."""

    def mean(name: str) -> float:
        return math.fsum(part * float(getattr(known, name)) for part, known in parts)

    return Moments(
        second=mean("second"),
        position=mean("position"),
        pair=mean("pair"),
        both=mean("both"),
        mean=mean("mean"),
        spread=mean("spread"),
    )


def pooled_gradient(kinds: Sequence[tuple[float, Gradient]]) -> Gradient:
    """The average over kinds of positions; gradients of two kinds share nothing."""
    return Gradient(
        second=math.fsum(part * kind.second for part, kind in kinds),
        position=math.fsum(part**2 * kind.position for part, kind in kinds),
        spread=math.fsum(part * kind.spread for part, kind in kinds),
        kinds=tuple(kinds),
    )
