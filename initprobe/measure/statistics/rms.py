"""The root mean square over all finite elements: the size of a signal, mean included."""

import math

from initprobe.measure.reductions import MOMENTS, Numbers
from initprobe.measure.statistics.base import Statistic, statistic


def rms(moments: Numbers) -> float:
    """sqrt(mean² + variance), nan where nothing is finite."""
    return math.hypot(moments[2], math.sqrt(moments[3] / moments[1])) * moments[7] if moments[1] else math.nan


statistic(Statistic("rms", "root mean square of the finite elements", MOMENTS, rms))
