"""What a limit is: default, unit, reason and source; and the limits on drifts, which rules share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


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


DRIFTS: tuple[Threshold, ...] = (
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
)
"""The limits that several rules share; a rule that has limits of its own declares them."""
