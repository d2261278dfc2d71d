"""Every limit that a verdict depends on, in one table: default, unit, reason and source."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from initprobe.errors import UsageError


@dataclass(frozen=True, slots=True)
class Threshold:
    """One limit.

    Attributes:
        key: its name in ``check.thresholds`` and ``--threshold``.
        default: its value where nothing else is said.
        unit: ``factor`` (above 1, applies in both directions) or ``fraction`` (above 0, at most 1).
        source: where the number comes from.
        doc: what happens beyond it.
    """

    key: str
    default: float
    unit: Literal["factor", "fraction"]
    source: str
    doc: str

    def admits(self, value: float) -> bool:
        """Whether a value makes sense in this unit."""
        if self.unit == "fraction":
            return 0.0 < value <= 1.0
        return math.isfinite(value) and value > 1.0


TABLE: tuple[Threshold, ...] = (
    Threshold(
        "forward_drift.warning",
        10.0,
        "factor",
        "one decade; a single draw of a correct He/ReLU net of depth 50 and width 128 drifts by exp(-0.5 ± 0.8) from "
        "its finite width alone (Hanin & Nica 2018, arXiv:1812.05994)",
        "the forward RMS changes by more than this over a run of layers: warning",
    ),
    Threshold(
        "forward_drift.error",
        1000.0,
        "factor",
        "three decades: float16 holds little more than four on either side of a unit signal (6.1e-5 to 6.6e4), and "
        "such nets do not start to learn (He et al. 2015, arXiv:1502.01852, figure 3)",
        "the forward RMS changes by more than this over a run of layers: error",
    ),
    Threshold(
        "backward_drift.warning",
        10.0,
        "factor",
        "as forward; a tanh net of depth 20 at its fixed point, chi_1 = 1.18, stays below at 1.18^(19/2) = 4.8 "
        "(Schoenholz et al. 2017, arXiv:1611.01232)",
        "the gradient RMS changes by more than this over a run of layers: warning",
    ),
    Threshold(
        "backward_drift.error",
        1000.0,
        "factor",
        "as forward (Glorot & Bengio 2010, section 4.2, see gradients fall layer by layer under the old default init)",
        "the gradient RMS changes by more than this over a run of layers: error",
    ),
    Threshold(
        "theory_gap.factor",
        1.5,
        "factor",
        "predictions from the layer before are off by less than 1.1 on the networks of docs/theory.md; causal "
        "attention, whose positions are not alike, by up to 1.4",
        "a layer's RMS lies off what its weights should make of its input by more than this: info",
    ),
    Threshold(
        "dead_units.fraction",
        0.6,
        "fraction",
        "deep in a correct He/ReLU net the inputs look alike (cosine -> 1, Cho & Saul 2009), so a unit is silent on a "
        "whole batch with probability up to 1/2: one half must pass, clearly more than one half is a fault",
        "more than this share of a layer's units is silent on the whole batch: warning",
    ),
)
"""Sorted by the rule family they belong to."""


def resolve(given: Sequence[tuple[str, float]] = ()) -> Mapping[str, float]:
    """The limits in force: the table's defaults under what was asked for.

    Raises:
        UsageError: an unknown key (the message names the nearest), a value out of range, or a warning limit beyond its
            error limit.
    """
    known = {threshold.key: threshold for threshold in TABLE}
    limits = {threshold.key: threshold.default for threshold in TABLE}
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
