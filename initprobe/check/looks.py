"""When the judge looks at the seeds, and what looking more than once costs."""

from __future__ import annotations

from dataclasses import dataclass

from initprobe.check.interval import CONFIDENCE

FIRST_EXTENSION = 8
"""An undecided verdict goes on to 8 seeds, then doubles."""


@dataclass(frozen=True, slots=True)
class LookPlan:
    """The seeds to begin with and the seeds that may be used in all, fixed before the first look.

    Attributes:
        start: seeds of the first look.
        maximum: seeds of the last one; below ``start`` it allows no extension.
        level: how often all looks together are to be right.
    """

    start: int = 5
    maximum: int = 32
    level: float = CONFIDENCE

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
        """The level of each look's interval, so that all of them together are at theirs (Bonferroni)."""
        return 1.0 - (1.0 - self.level) / len(self.counts)

    def after(self, seeds: int) -> int | None:
        """The seeds of the next look, None when they are used up."""
        return next((count for count in self.counts if count > seeds), None)
