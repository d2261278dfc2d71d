"""The smallest finite element."""

import math

from initprobe.measure.reductions import MOMENTS, Numbers
from initprobe.measure.statistics.base import SIGNALS, Statistic, statistic


def minimum(moments: Numbers) -> float:
    """The smallest value, nan where nothing is finite."""
    return moments[4] * moments[7] if moments[1] else math.nan


statistic(Statistic("min", "smallest finite element", MOMENTS, minimum, SIGNALS))
