"""What a scheme did to a model: what it drew, what it left alone and why, and what else its paper asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from initprobe.errors import visible_lines


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

    def __str__(self) -> str:
        """What was drawn, what was kept and why, and what could not be done, a line for all that share it."""
        lines = [f"{self.scheme}: {len(self.drawn)} of {len(self.drawn) + len(self.skipped)} parameters drawn"]
        lines += _grouped("kept", ((one.weight, one.reason) for one in self.skipped))
        lines += _grouped("note", ((one.weight, one.note) for one in self.drawn))
        lines += _grouped(
            "learning rate", ((name, f"times {times:.3g}") for name, times in self.learning_rates.items())
        )
        return visible_lines("\n".join([*lines, *(f"note: {note}" for note in self.notes)]))


def _grouped(what: str, told: Iterable[tuple[str, str | None]]) -> Iterator[str]:
    names: dict[str, list[str]] = {}
    for name, text in told:
        if text:
            names.setdefault(text, []).append(name)
    for text, found in names.items():
        yield f"{what}: {found[0]}{f' and {len(found) - 1} more' if len(found) > 1 else ''}: {text}"
