"""Nine characters that show how the RMS runs through a group of layers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

CELLS = 9
BARS = "▁▂▃▄▅▆▇█"
ASCII_BARS = ".:-=+*#%@"
ZERO = "0"
NON_FINITE = "!"
MISSING = " "


@dataclass(frozen=True, slots=True)
class Scale:
    """A logarithmic scale that all sparklines of one table share.

    Attributes:
        low, high: its ends, as powers of ten.
    """

    low: int
    high: int

    @classmethod
    def over(cls, values: Iterable[float]) -> Scale:
        """The whole decades that hold all positive finite values, two of them at least: noise stays flat."""
        logs = [math.log10(value) for value in values if value > 0 and math.isfinite(value)]
        low, high = (math.floor(min(logs)), math.ceil(max(logs))) if logs else (-1, 1)
        if high - low < 2:
            middle = round(sum(logs) / len(logs)) if logs else 0
            low, high = middle - 1, middle + 1
        return cls(low, high)

    def place(self, value: float) -> float:
        """Where a positive finite value lies, 0 at the low end and 1 at the high end."""
        return min(1.0, max(0.0, (math.log10(value) - self.low) / (self.high - self.low)))


def sparkline(values: Sequence[float | None], scale: Scale, *, unicode: bool = True) -> str:
    """One character per value, nine evenly spread ones (first and last included) where there are more.

    A zero is ``0``, a value that is not finite ``!``, a missing one a blank.
    """
    if len(values) > CELLS:
        values = [values[round(cell * (len(values) - 1) / (CELLS - 1))] for cell in range(CELLS)]
    return "".join(_bar(value, scale, BARS if unicode else ASCII_BARS) for value in values)


def _bar(value: float | None, scale: Scale, bars: str) -> str:
    if value is None:
        return MISSING
    if not math.isfinite(value):
        return NON_FINITE
    if value <= 0:
        return ZERO
    return bars[min(len(bars) - 1, int(scale.place(value) * len(bars)))]
