"""When the judge looks at the seeds, and what looking more than once costs."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

from initprobe.check.interval import CONFIDENCE

REPEATED = 0.9
"""How sure fresh seeds have to be of a thing that was found before, one-sided and by itself: one in ten repeats what is
not there, of what one in twenty networks was accused of. More would let them lose what is there."""

FIRST_EXTENSION = 8
"""An undecided verdict goes on to 8 seeds, then doubles."""


@dataclass(frozen=True, slots=True)
class LookPlan:
    """The seeds to begin with and the seeds that may be used in all, fixed before the first look.

    It says how sure every rule has to be. A first look has as many chances to be wrong as the network has layers and
    streams and the plan has looks, and shares its level among them. A second one asks for what was found there, of
    seeds that had no part in choosing it: each thing stands by itself.

    Attributes:
        start: seeds of the first look.
        maximum: seeds of the last one; below ``start`` it allows no extension.
        again: whether it is about what another look has found.
    """

    start: int = 5
    maximum: int = 32
    again: bool = False

    @classmethod
    def second(cls, seeds: int) -> Self:
        """The only look at fresh seeds, for what was found without them."""
        return cls(seeds, seeds, again=True)

    @property
    def counts(self) -> tuple[int, ...]:
        """Seeds at each look: start, then 8, 16, 32 ... up to the maximum."""
        looks = [self.start]
        extension = FIRST_EXTENSION
        while looks[-1] < self.maximum:
            if extension > looks[-1]:
                looks.append(min(extension, self.maximum))
            extension *= 2
        return tuple(looks)

    @property
    def confidence(self) -> float:
        """The level of each look's two-sided interval, so that all of them together are at theirs (Bonferroni)."""
        return 2.0 * REPEATED - 1.0 if self.again else 1.0 - (1.0 - CONFIDENCE) / len(self.counts)

    def one_of(self, many: int) -> float:
        """The level of a one-sided interval for each of many, so that all together are at theirs (Bonferroni)."""
        return REPEATED if self.again else 1.0 - (1.0 - CONFIDENCE) / max(1, many)

    def deviations(self, usual: float) -> float:
        """How many standard deviations one of many things has to stand above chance, ``usual`` at a first look."""
        return NormalDist().inv_cdf(REPEATED) if self.again else usual

    def after(self, seeds: int) -> int | None:
        """The seeds of the next look, None when they are used up."""
        return next((count for count in self.counts if count > seeds), None)
