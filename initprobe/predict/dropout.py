"""Dropout in mean-field theory: kept units are divided by the share that is kept, which adds noise to every layer.

E h² is divided by that share while E h h' of two inputs with masks of their own is not, so that two copies of one input
drift apart and no network with dropout is critical (Schoenholz et al. 2017, arXiv 1611.01232, section 5).
"""

from __future__ import annotations

import math

from initprobe.activations import moments
from initprobe.predict import pairs
from initprobe.predict.roots import root
from initprobe.records import ActivationUse


def dropout_q_map(
    use: ActivationUse, q: float, weight_variance: float, bias_variance: float = 0.0, *, keep: float
) -> float:
    """The second moment one layer on, sigma_w² E f² / keep + sigma_b² (Schoenholz et al. 2017, eq. 17).

    Raises:
        ValueError: keep is not in (0, 1].
        NotElementwiseError: the activation does not act on one number at a time.
        UsageError: it is unknown, or an option is.
    """
    return weight_variance * moments.second_moment(use, q) / _checked(keep) + bias_variance


def dropout_correlation(
    use: ActivationUse, q: float, weight_variance: float, bias_variance: float = 0.0, *, keep: float
) -> float:
    """c* of one input under two masks at a second moment q that the layer keeps; below 1. Raises like the map."""

    def change(c: float) -> float:
        shared = weight_variance * pairs.product(use, q, c) + bias_variance
        return shared / dropout_q_map(use, q, weight_variance, bias_variance, keep=keep) - c

    return root(change, 0.0, 1.0, 1e-13) if change(0.0) > 0.0 else 0.0


def compensated_gain(keep: float) -> float:
    """The factor on a weight's std that takes back what dropout before it adds to the second moment, √keep.

    Hendrycks & Gimpel 2016 (arXiv 1607.02488), section 2. Raises ValueError like the map.
    """
    return math.sqrt(_checked(keep))


def _checked(keep: float) -> float:
    if not 0.0 < keep <= 1.0:
        raise ValueError(f"a share of {keep} cannot be kept")
    return keep
