"""What a scheme did to a model: what it drew, what it left alone and why, and what else its paper asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Drawn:
    """A parameter that was written.

    Attributes:
        weight: its name.
        scheme: the scheme with its options, as text.
        std: the standard deviation the scheme declares for it, None where it declares none.
        learning_rate: what the paper multiplies the learning rate of this parameter by; 1 where it says nothing.
        note: what the scheme could not do for it, None where it did everything.
    """

    weight: str
    scheme: str
    std: float | None = None
    learning_rate: float = 1.0
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A parameter that was left as it was, with the reason."""

    weight: str
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer of an initialization: every parameter is in exactly one of the two lists.

    Attributes:
        scheme: what was asked for, as text.
        drawn: the parameters that were written.
        skipped: those that were not.
        notes: what holds for the network as a whole: what the paper asks for and no initialization can do, and what
            was measured on the way.
    """

    scheme: str
    drawn: tuple[Drawn, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def learning_rates(self) -> Mapping[str, float]:
        """Multipliers of the learning rate by the name of the parameter, where they are not 1."""
        return {one.weight: one.learning_rate for one in self.drawn if one.learning_rate != 1.0}
