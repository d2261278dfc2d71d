"""The largest finite element."""

import math

from initprobe.measure.reductions import MOMENTS, Numbers
from initprobe.measure.statistics.base import SIGNALS, Statistic, statistic


def maximum(moments: Numbers) -> float:
    """The largest value, nan where nothing is finite."""
    return moments[5] * moments[7] if moments[1] else math.nan


statistic(Statistic("max", "largest finite element", MOMENTS, maximum, SIGNALS))
