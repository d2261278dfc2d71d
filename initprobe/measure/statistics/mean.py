"""The mean over all finite elements."""

import math

from initprobe.measure.reductions import MOMENTS, Numbers
from initprobe.measure.statistics.base import Statistic, statistic


def mean(moments: Numbers) -> float:
    """The mean, nan where nothing is finite."""
    return moments[2] * moments[7] if moments[1] else math.nan


statistic(Statistic("mean", "mean of the finite elements", MOMENTS, mean))
