"""What a statistic is: a number made on the host from what a reduction brought home."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from initprobe.measure.reductions import Numbers, Reduction
from initprobe.records import Value
from initprobe.registry import Registry

Subject = Literal["forward", "backward", "parameter", "buffer", "gradient", "input", "output"]
"""What a statistic describes: a site's value, its gradient, a parameter, a buffer, a parameter's gradient, an input; or
the loss, and the logits that it is made of."""

SIGNALS: frozenset[Subject] = frozenset(["forward", "backward", "input"])
STORED: frozenset[Subject] = frozenset(["parameter", "buffer"])
EVERYTHING: frozenset[Subject] = SIGNALS | STORED | frozenset(["gradient", "output"])


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic.

    Attributes:
        name: its name in results (``rms``).
        summary: one line, with the unit.
        reduction: what it reads.
        value: from the reduction's numbers to the value.
        of: what it describes.
        core: whether it is always measured; the others are asked for by name.
    """

    name: str
    summary: str
    reduction: Reduction
    value: Callable[[Numbers], Value]
    of: frozenset[Subject] = EVERYTHING
    core: bool = True


STATISTICS: Registry[Statistic] = Registry("statistic", "initprobe.measure.statistics", "initprobe.statistics")


def statistic(leaf: Statistic) -> Statistic:
    """Register a statistic; a leaf calls this once at module level."""
    STATISTICS.add(leaf.name, leaf)
    return leaf
