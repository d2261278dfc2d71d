"""Everything a rule may look at, for one draw."""

from __future__ import annotations

from dataclasses import dataclass

from initprobe.records.anatomy import Anatomy
from initprobe.records.outcome import Outcome
from initprobe.records.trace import Trace


@dataclass(frozen=True, slots=True)
class Evidence:
    """One draw of one network: who its weights are, what drew them, what was measured.

    Attributes:
        outcome: None when the target kept its own init.
    """

    anatomy: Anatomy
    trace: Trace
    outcome: Outcome | None = None
