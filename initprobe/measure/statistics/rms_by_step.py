"""The root mean square at each time step: whether a recurrent network keeps its signal, and its gradient, over time.

The gradient is that of the layer's output. What flows back from step to step inside of one of torch's fused layers
is nowhere a tensor; a cell that is called in a loop has a site, and a gradient, at every step.
"""

from __future__ import annotations

import math

import torch

from initprobe.measure.moments import deferred_moments, host_moments
from initprobe.measure.reductions import Numbers, Reduction, Result, View
from initprobe.measure.statistics.base import Statistic, statistic

MOMENTS = 8
"""Numbers that ``host_moments`` and ``deferred_moments`` make of one tensor."""


def moments_by_step(view: View) -> Result:
    """The moments of every time step, one after the other."""
    axis = (view.step_axis or -1) - view.tensor.is_complex()
    steps = view.values.unbind(axis)
    if view.values.device.type != "cpu" or isinstance(view.moments, torch.Tensor):
        return torch.cat([deferred_moments(step) for step in steps])
    return [number for step in steps for number in host_moments(step, view.workspace, extremes=False)]


def has_steps(view: View) -> bool:
    """Whether it is known which axis counts time steps."""
    return view.step_axis is not None and view.tensor.dim() >= -view.step_axis


def rms_by_step(numbers: Numbers) -> tuple[float, ...]:
    """sqrt(mean² + variance) of every step, nan where nothing is finite."""
    return tuple(_rms(numbers[start : start + MOMENTS]) for start in range(0, len(numbers), MOMENTS))


def _rms(moments: Numbers) -> float:
    return math.hypot(moments[2], math.sqrt(moments[3] / moments[1])) * moments[7] if moments[1] else math.nan


statistic(
    Statistic(
        "rms_by_step",
        "root mean square at each time step, behind recurrent layers",
        Reduction("moments_by_step", moments_by_step, has_steps),
        rms_by_step,
        frozenset(["forward", "backward"]),
        core=False,
    )
)
