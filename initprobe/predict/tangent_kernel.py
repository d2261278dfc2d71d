"""The neural tangent kernel of a deep network at initialization, and how well it can tell inputs apart.

Theta'_ab = Sigma'_ab + sigma_w² E f'(x_a) f'(x_b) Theta_ab (Jacot et al. 2018, arXiv 1806.07572, theorem 1). At a
critical point Theta_ab / Theta_aa tends to a number below 1, however deep the network: ¼ where f has kinks, ⅓ where it
is smooth (Xiao et al. 2020, arXiv 1912.13053, table 1).
"""

from __future__ import annotations

import math

from initprobe.predict import pairs
from initprobe.predict.mean_field import chi, gap_map
from initprobe.records import ActivationUse

GAPS = (1e-6, 1e-8)
"""Distances over which the exponent is taken."""


def kernel_ratio(
    use: ActivationUse, q: float, weight_variance: float, bias_variance: float = 0.0, *, depth: int, gap: float = 1.0
) -> float:
    """Theta_ab / Theta_aa behind ``depth`` layers, for inputs at the fixed point q.

    It goes by 1 - c, so that it holds at depths at which c itself has run out of digits.

    Args:
        use: the activation.
        q: a fixed point of the second moment.
        weight_variance: sigma_w².
        bias_variance: sigma_b².
        depth: layers.
        gap: 1 - c of the two inputs.

    Raises:
        NotElementwiseError: the activation does not act on one number at a time.
        UsageError: it is unknown, or an option is.
    """
    chi_1 = chi(use, q, weight_variance)
    own, shared = q, q * (1.0 - gap)
    for _ in range(depth):
        slope = chi_1 - weight_variance * pairs.derivative_deficit(use, q, gap)
        gap = gap_map(use, gap, q, weight_variance, bias_variance)
        own, shared = q + chi_1 * own, q * (1.0 - gap) + slope * shared
    return shared / own


def critical_ratio(use: ActivationUse, q: float) -> float:
    """Theta_ab / Theta_aa at infinite depth on a critical point, p / (1 + 2p).

    p is the power of 1 - c by which E f'(x) f'(y) falls short of E f'²: ½ at a kink, 1 for smooth f. Both the decay of
    1 - c and that of the ratio follow from 1 - c' = (1 - c) (1 - A (1 - c)^p). Raises like ``kernel_ratio``.
    """
    near, nearer = (pairs.derivative_deficit(use, q, gap) for gap in GAPS)
    power = math.log(near / nearer) / math.log(GAPS[0] / GAPS[1])
    return power / (1.0 + 2.0 * power)


def condition_number(ratio: float, points: int) -> float:
    """Of the kernel matrix of many inputs that are all at the same ratio: (1 + (m - 1) r) / (1 - r)."""
    return (1.0 + (points - 1) * ratio) / (1.0 - ratio) if ratio < 1.0 else math.inf
