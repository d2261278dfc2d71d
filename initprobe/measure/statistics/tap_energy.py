"""Which taps of a kernel carry its weights: all alike for independent ones, the centre alone for a Dirac kernel."""

from __future__ import annotations

import math

import torch

from initprobe.measure.reductions import Numbers, Reduction, Result, View
from initprobe.measure.statistics.base import Statistic, Subject, statistic
from initprobe.records import Value

MOST = 128
"""Taps that are told apart; a larger tensor of three axes is no kernel."""

PARAMETER: frozenset[Subject] = frozenset(["parameter"])


def is_kernel(view: View) -> bool:
    """Whether it may be the weight of a convolution with more than one tap: (out, in, taps ...)."""
    shape = view.tensor.shape
    return len(shape) > 2 and 1 < math.prod(shape[2:]) <= MOST and view.tensor.is_floating_point()


def tap_energy(view: View) -> Result:
    """Sum of squares at every tap, in units of the largest value."""
    # Scaled first: squares of 1e-30 underflow. float32 sums of a few thousand squares keep five digits, which do.
    weights = view.values.flatten(2)
    peak = weights.abs().amax()
    scaled = weights.float() / torch.where(peak > 0, peak, torch.ones_like(peak)).float()
    numbers = scaled.square().sum((0, 1)).double()
    return numbers.tolist() if numbers.device.type == "cpu" else numbers


def shares(energies: Numbers) -> Value:
    """The share of every tap, nan for all of them where there is nothing to share or it is not finite."""
    whole = math.fsum(energies)
    return tuple(energy / whole if 0.0 < whole < math.inf else math.nan for energy in energies)


statistic(
    Statistic(
        "tap_energy",
        "share of a convolution's squared weights at each tap of its kernel",
        Reduction("tap_energy", tap_energy, is_kernel),
        shares,
        PARAMETER,
    )
)
