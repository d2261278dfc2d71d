"""Three-valued judgement: where an interval of the drift lies between the warning and the error limit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from initprobe.check.signals import Direction
from initprobe.records import Gain, Status, StreamKind

Side = Literal["shrinks", "grows"]
Level = Literal["pass", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Band:
    """The limits of one direction, as logarithms of the factor either way.

    Attributes:
        fades: whether what shrinks is a warning at most, however far it shrinks: what a recurrence has to remember is
            the task's to say, and many tasks ask for no more than the last few steps.
    """

    warning: float
    error: float
    fades: bool = False

    @classmethod
    def of(cls, thresholds: Mapping[str, float], direction: Direction, kind: StreamKind) -> Self:
        """The limits in force for one kind of stream."""
        warning, error = (math.log(thresholds[f"{direction}_drift.{level}"]) for level in ("warning", "error"))
        return cls(warning, error, fades=kind == "recurrent")

    def levels(self, low: float, high: float, side: Side) -> frozenset[Level]:
        """What a rule about one side may come out as, when the log drift lies in [low, high].

        Beyond a limit means strictly beyond.
        """
        error = self.error
        if side == "shrinks":
            low, high = -high, -low
            error = math.inf if self.fades else error
        found: set[Level] = set()
        if low <= self.warning:
            found.add("pass")
        if high > self.warning and low <= error:
            found.add("warning")
        if high > error:
            found.add("error")
        return frozenset(found)

    def status(self, low: float, high: float) -> Status:
        """The status of an interval: decided when it lies wholly beyond a limit or wholly inside of both.

        Wholly beyond the warning limit is a warning, also where it reaches across the error limit.
        """
        shrinks, grows = self.levels(low, high, "shrinks"), self.levels(low, high, "grows")
        for levels in (shrinks, grows):
            if "pass" not in levels:
                return "error" if "warning" not in levels else "warning"
        return "pass" if shrinks == grows == frozenset({"pass"}) else "inconclusive"

    def edges(self, low: float, high: float) -> tuple[float, ...]:
        """The limits that lie inside an interval: what keeps it from being decided."""
        limits = (*(() if self.fades else (-self.error,)), -self.warning, self.warning, self.error)
        return tuple(limit for limit in limits if low <= limit <= high)


def log_interval(gain: Gain) -> tuple[float, float]:
    """The interval of a gain's drift, as logarithms."""
    return _log(gain.drift.low), _log(gain.drift.high)


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf
