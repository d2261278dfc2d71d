"""How numbers read: three significant digits, intervals, counts, ranges of indices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from initprobe.records import Estimate


def number(value: float) -> str:
    """Three significant digits; two and an exponent outside [1e-3, 1e4)."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}".replace("-0", "0")
    if not 1e-3 <= abs(value) < 9999.5:
        return f"{value:.1e}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def interval(estimate: Estimate) -> str:
    """``0.704 [0.698, 0.710]``, or the bare number where there is no interval."""
    if _bare(estimate):
        return _near_one(estimate.mean)
    return f"{_near_one(estimate.mean)} [{_near_one(estimate.low)}, {_near_one(estimate.high)}]"


def plus_minus(estimate: Estimate) -> str:
    """``0.704 ±0.006``, half of the interval's width behind the sign, or the bare number where there is no interval."""
    if _bare(estimate):
        return _near_one(estimate.mean)
    half = (estimate.high - estimate.low) / 2
    return f"{_near_one(estimate.mean)} ±{f'{half:.1g}' if half < 1e-3 else _near_one(half)}"


def count(total: int) -> str:
    """``812``, ``3.5 M``, ``124 M``: a number of parameters."""
    for size, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if total >= size:
            scaled = total / size
            return f"{scaled:.1f} {unit}" if scaled < 99.95 else f"{scaled:.0f} {unit}"
    return str(total)


def plural(total: int, noun: str, several: str | None = None) -> str:
    """``1 error``, ``2 errors``, ``2 branches``."""
    return f"{total} {noun if total == 1 else several or f'{noun}s'}"


def from_to(texts: Sequence[str]) -> str:
    """``0.85 → 0.49``: the first and the last of them, or the only one."""
    return texts[0] if len(texts) == 1 else f"{texts[0]} → {texts[-1]}"


def ranges(indices: Sequence[int]) -> str:
    """``0–3,7`` for [0, 1, 2, 3, 7]; ``0,2,…,98`` for an even walk of four or more."""
    ordered = sorted(set(indices))
    steps = {after - before for before, after in pairwise(ordered)}
    if len(ordered) >= 4 and len(steps) == 1 and steps != {1}:
        return f"{ordered[0]},{ordered[1]},…,{ordered[-1]}"
    runs: list[list[int]] = []
    for index in ordered:
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)


def _bare(estimate: Estimate) -> bool:
    return not math.isfinite(estimate.mean) or estimate.low == estimate.high


def _near_one(value: float) -> str:
    """A gain: three decimals where that says enough, so that mean and width line up."""
    return f"{value:.3f}" if value == 0 or 1e-3 <= abs(value) < 99.95 else number(value)
