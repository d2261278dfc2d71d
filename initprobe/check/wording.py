"""How numbers and runs of layers read in findings."""

from __future__ import annotations

import math
from collections.abc import Sequence

from initprobe.records import StreamKind


def gain(value: float) -> str:
    """A gain or a drift: ``0.704``, ``1.00``, ``3.4e-08``."""
    return _digits(value, 3)


def size(value: float) -> str:
    """An RMS: ``1.00``, ``0.039``, ``3.3e-08``."""
    return _digits(value, 3 if abs(value) >= 0.1 else 2)


def limit(value: float) -> str:
    """A round limit: ``1e-3``, ``0.1``, ``1000``."""
    if value >= 0.01 and value < 1e6:
        return f"{value:g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def allowed(factor: float, steps: int) -> str:
    """The gains per layer that stay within a factor over that many steps: ``[0.87, 1.15]``."""
    low, high = factor ** (-1 / steps), factor ** (1 / steps)
    decimals = max(2, 1 - math.floor(math.log10(1 - low)))
    return f"[{low:.{decimals}f}, {high:.{decimals}f}]"


def count(number: int, noun: str) -> str:
    """``1 layer``, ``12,345 layers``."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def span(names: Sequence[str]) -> str:
    """``block.0 … block.49``, or the only name."""
    return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"


def rung(kind: StreamKind) -> str:
    """What a gain is counted per along a stream: a ``step`` of time, or a ``layer``."""
    return "step" if kind == "recurrent" else "layer"


def listing(names: Sequence[str], most: int = 3) -> str:
    """The first few names and how many more there are."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _digits(value: float, significant: int) -> str:
    if value == 0 or not math.isfinite(value):
        return f"{value:g}".removeprefix("-") if value == 0 else f"{value:g}"
    if not 1e-3 <= abs(value) < 9999.5:
        return f"{value:.1e}"
    rounded = float(f"{value:.{significant - 1}e}")
    return f"{rounded:.{max(0, significant - 1 - math.floor(math.log10(abs(rounded))))}f}"
