"""Standardized weights: every row has the mean 0 and the variance gain² / fan_in (Brock et al. 2021, arXiv 2101.08692).

A row without a mean does not see the mean of what enters it, so that Var f stands where E f² stood.
"""

from __future__ import annotations

import math

from initprobe.activations import moments
from initprobe.records import ActivationUse


def standardized_q_map(use: ActivationUse, q: float, gain: float, bias_variance: float = 0.0) -> float:
    """The second moment one layer on, gain² Var f(√q z) + sigma_b².

    Raises:
        NotElementwiseError: the activation does not act on one number at a time.
        UsageError: it is unknown, or an option is.
    """
    return gain**2 * (moments.second_moment(use, q) - moments.mean(use, q) ** 2) + bias_variance


def standardized_gain(use: ActivationUse) -> float:
    """The gain that keeps the second moment 1, 1 / √Var f: 1.7129 for relu. Raises like the map."""
    return 1.0 / math.sqrt(standardized_q_map(use, 1.0, 1.0))
