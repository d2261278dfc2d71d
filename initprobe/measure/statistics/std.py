"""The standard deviation over all finite elements, of the population (divided by n)."""

import math

from initprobe.measure.reductions import MOMENTS, Numbers
from initprobe.measure.statistics.base import Statistic, statistic


def std(moments: Numbers) -> float:
    """The population standard deviation, nan where nothing is finite."""
    return math.sqrt(moments[3] / moments[1]) * moments[7] if moments[1] else math.nan


statistic(Statistic("std", "population standard deviation of the finite elements", MOMENTS, std))
