"""How many elements there are."""

from initprobe.measure.reductions import MOMENTS
from initprobe.measure.statistics.base import Statistic, statistic

statistic(Statistic("count", "number of elements", MOMENTS, lambda moments: moments[0]))
