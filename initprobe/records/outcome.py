"""What a scheme did to a model: what it drew, and what it left alone and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Drawn:
    """A parameter that was written.

    Attributes:
        weight: its name.
        scheme: the scheme with its options, as text.
        std: the standard deviation the scheme declares for it, None where it declares none.
    """

    weight: str
    scheme: str
    std: float | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A parameter that was left as it was, with the reason."""

    weight: str
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer of an initialization: every parameter is in exactly one of the two lists."""

    scheme: str
    drawn: tuple[Drawn, ...] = ()
    skipped: tuple[Skipped, ...] = ()
