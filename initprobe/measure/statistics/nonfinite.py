"""How many elements are NaN or infinite; every other statistic leaves them out."""

from initprobe.measure.reductions import MOMENTS
from initprobe.measure.statistics.base import Statistic, statistic

statistic(
    Statistic("nonfinite", "number of NaN and infinite elements", MOMENTS, lambda moments: moments[0] - moments[1])
)
