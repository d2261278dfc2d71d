"""What became of a network's init since an earlier measurement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from initprobe.records.location import Location

Quantity = Literal["std", "mean", "forward RMS", "gradient RMS"]
"""What is compared: of a parameter's values the first two, of the signal at a call site the others."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A number that is another one now, at one place or at several that changed alike.

    Attributes:
        quantity: which number.
        names: parameters or keys of call sites, the first one first.
        old, new: its mean over seeds at the first of them (geometric where it is a scale).
        low, high: smallest and largest factor, new over old, among all of them; nan where there is none (from zero,
            over a change of sign).
        location: where the first of them was built, as the new measurement tells it.
    """

    quantity: Quantity
    names: tuple[str, ...]
    old: float
    new: float
    low: float
    high: float
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """Two measurements of one network, before and after.

    Attributes:
        against: the older one, as tables call it.
        verdict: ``fail`` where something changed by more than another draw of the same init would.
        shifts: what changed: parameters first, then the signal from front to back, then the gradient.
        missing: names that only the older measurement has.
        added: those that only the newer one has.
        reshaped: names that have another shape, or another dtype.
        renamed: old and new name of what is the same otherwise; no change by itself.
        compared: how many numbers were compared.
        resolution: the factor on a matrix' std from which on a change is found nine times in ten among other draws: the
            median over the matrices that are drawn; nan where none is.
        seeds: how many draws there are of the older and of the newer one.
        notes: what a reader must know beside it.
    """

    against: str
    verdict: Literal["pass", "fail"]
    shifts: tuple[Shift, ...] = ()
    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    reshaped: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    compared: int = 0
    resolution: float = 0.0
    seeds: tuple[int, int] = (0, 0)
    notes: tuple[str, ...] = ()
