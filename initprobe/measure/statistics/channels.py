"""How a signal is spread over channels: what signal-propagation plots are drawn from.

A mean that differs from channel to channel adds to the RMS and tells no input from another; the variance within the
channels is what the input has a part in (Brock, De & Smith 2021, Characterizing signal propagation to close the
performance gap in unnormalized ResNets, section 3.1).
"""

from __future__ import annotations

import math

import torch

from initprobe.measure.moments import EXACT
from initprobe.measure.reductions import Reduction, Result, View
from initprobe.measure.statistics.base import Statistic, Subject, statistic

FORWARD: frozenset[Subject] = frozenset(["forward"])


def has_channels(view: View) -> bool:
    """Whether the site has a unit axis and something to average over."""
    axis, tensor = view.unit_axis, view.tensor
    return axis is not None and tensor.dim() > max(1, -axis - 1) and tensor.numel() > tensor.shape[axis]


def channel_moments(view: View) -> Result:
    """``[squared mean, variance, scale]``: the first two averaged over the channels, in units of the scale squared.

    In float64, a few channels at a time.
    """
    axis = view.tensor.dim() + (view.unit_axis or 0)
    values = view.values
    others = [other for other in range(values.dim()) if other != axis]
    channels = values.shape[axis]
    scale = view.moments[7]  # of float64 data that would leave the range when squared; else 1
    many = max(1, channels * EXACT // values.numel())
    squares = torch.zeros(2, dtype=torch.float64, device=values.device)
    for start in range(0, channels, many):
        wide = values.narrow(axis, start, min(many, channels - start)).double() / scale
        variance, mean = torch.var_mean(wide, others, correction=0)
        squares += torch.stack([mean.square().sum(), variance.sum()])
    squares /= channels
    if isinstance(scale, torch.Tensor):
        return torch.cat([squares, scale.reshape(1)])
    return [*squares.tolist(), scale]


CHANNELS = Reduction("channel_moments", channel_moments, has_channels)

statistic(
    Statistic(
        "channel_mean",
        "root of the squared mean of a channel, averaged over the channels",
        CHANNELS,
        lambda numbers: math.sqrt(numbers[0]) * numbers[2],
        FORWARD,
        core=False,
    )
)
statistic(
    Statistic(
        "channel_std",
        "root of the variance within a channel, averaged over the channels",
        CHANNELS,
        lambda numbers: math.sqrt(numbers[1]) * numbers[2],
        FORWARD,
        core=False,
    )
)
