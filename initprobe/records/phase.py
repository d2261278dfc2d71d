"""The phase diagram of an activation, as numbers: what the figure shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Number = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve through the plane of variances.

    Attributes:
        kind: the critical line, or a contour of the depth scale xi_c in one of the phases.
        depth: xi_c along it; infinite on the critical line.
        stable: whether a signal stays at the fixed points along it.
        weight_variance: sigma_w², point by point.
        bias_variance: sigma_b².
        q: the fixed points there.
    """

    kind: Literal["critical", "ordered", "chaotic"]
    depth: float
    stable: bool
    weight_variance: Number
    bias_variance: Number
    q: Number


@dataclass(frozen=True, slots=True)
class PhasePoint:
    """What was measured at one point of the plane, beside what was expected.

    Attributes:
        weight_variance: sigma_w².
        bias_variance: sigma_b².
        expected: chi_1 by theory; None where a signal does not stay.
        measured: the factor on the squared gradient per layer, mean over seeds; None where no gradient came through.
        low: lower end of its interval.
        high: upper end.
    """

    weight_variance: float
    bias_variance: float
    expected: float | None
    measured: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class PhaseDiagram:
    """Phases over weight variance (x) and bias variance (y).

    Attributes:
        activation: as text, with its options.
        weight_variance: axis of the map.
        bias_variance: axis of the map.
        chi: chi_1 where a signal of second moment 1 ends, a row per bias variance; infinite where the signal explodes.
        critical: the critical line, in stretches.
        contours: curves of equal depth scale.
        note: why there is no critical line where a signal stays, or empty.
        measured: points that were probed.
    """

    activation: str
    weight_variance: Number
    bias_variance: Number
    chi: tuple[Number, ...]
    critical: tuple[Curve, ...]
    contours: tuple[Curve, ...]
    note: str = ""
    measured: tuple[PhasePoint, ...] = ()
