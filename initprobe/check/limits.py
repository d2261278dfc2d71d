"""Every limit that a verdict depends on, in one table, and the ones in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from initprobe.check.rules.base import RULES
from initprobe.check.thresholds import DRIFTS, Threshold
from initprobe.errors import UsageError


def table() -> tuple[Threshold, ...]:
    """The limits on drifts, then those of every rule, in the order of their codes."""
    rules = sorted(RULES.values(), key=lambda leaf: leaf.card.code)
    return (*DRIFTS, *(threshold for leaf in rules for threshold in leaf.thresholds))


def resolve(given: Sequence[tuple[str, float]] = ()) -> Mapping[str, float]:
    """The limits in force: the table's defaults under what was asked for.

    Raises:
        UsageError: an unknown key (the message names the nearest), a value out of range, or a warning limit beyond its
            error limit.
    """
    known = {threshold.key: threshold for threshold in table()}
    limits = {threshold.key: threshold.default for threshold in table()}
    for key, value in given:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the keys are {', '.join(known)}"
            raise UsageError(f"unknown threshold {key!r}", hint=hint)
        if not known[key].admits(value):
            wanted = "above 0 and at most 1" if known[key].unit == "fraction" else "above 1"
            raise UsageError(f"threshold {key} cannot be {value!r}", hint=f"a {known[key].unit} is a number {wanted}")
        limits[key] = float(value)
    for drift in ("forward_drift", "backward_drift"):
        warning, error = limits[f"{drift}.warning"], limits[f"{drift}.error"]
        if warning > error:
            raise UsageError(
                f"threshold {drift}.warning ({warning:g}) is beyond {drift}.error ({error:g})", hint="set both"
            )
    return limits
