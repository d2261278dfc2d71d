"""What a measurement of a network as a whole is: numbers that take passes of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from initprobe.records import Value
from initprobe.registry import Registry
from initprobe.subject import Subject


class Unmeasured(Exception):  # noqa: N818 - no error: the network has no such thing
    """The network has nothing to measure here; the message says why."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measurement.

    Attributes:
        name: its name in results and in the ``needs`` of rules.
        summary: one line, with the unit.
        run: from a network, the largest batch and a seed to the value. It runs the model as often as it likes; modes,
            buffers and random states are put back by its caller. Raises ``Unmeasured``.
    """

    name: str
    summary: str
    run: Callable[[Subject, int, int], Value]


MEASUREMENTS: Registry[Measurement] = Registry("measurement", "initprobe.measure.network", "initprobe.measurements")


def measurement(leaf: Measurement) -> Measurement:
    """Register a measurement; a leaf calls this once at module level."""
    MEASUREMENTS.add(leaf.name, leaf)
    return leaf
