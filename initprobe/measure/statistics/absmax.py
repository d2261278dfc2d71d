"""The largest absolute value among the finite elements."""

import math

from initprobe.measure.reductions import MOMENTS, Numbers
from initprobe.measure.statistics.base import SIGNALS, Statistic, statistic


def absmax(moments: Numbers) -> float:
    """max(-minimum, maximum), nan where nothing is finite."""
    return max(-moments[4], moments[5]) * moments[7] if moments[1] else math.nan


statistic(Statistic("absmax", "largest absolute value of the finite elements", MOMENTS, absmax, SIGNALS))
