"""The share of elements that are exactly zero."""

import math

from initprobe.measure.reductions import MOMENTS, Numbers
from initprobe.measure.statistics.base import SIGNALS, Statistic, statistic


def zero_fraction(moments: Numbers) -> float:
    """Zeros over finite elements, nan where nothing is finite."""
    return moments[6] / moments[1] if moments[1] else math.nan


statistic(Statistic("zero_fraction", "share of finite elements that are exactly zero", MOMENTS, zero_fraction, SIGNALS))
