"""Singular values of the input-output Jacobian J of a deep network at criticality.

Pennington, Schoenholz & Ganguli 2017 (arXiv 1711.04735) and 2018 (arXiv 1802.09979): with mu_k = E f'^2k the
eigenvalues of J Jᵀ have the mean chi_1^L and, where chi_1 = 1, the variance L (mu_2 / mu_1² - 1 - s_1).
"""

from __future__ import annotations

import math

from initprobe.activations import moments
from initprobe.records import ActivationUse


def jacobian_mean(chi_1: float, depth: int) -> float:
    """Mean eigenvalue of J Jᵀ, chi_1^L."""
    return chi_1**depth


def jacobian_variance(use: ActivationUse | None, q: float, depth: int, *, orthogonal: bool) -> float:
    """Variance of the eigenvalues of J Jᵀ where chi_1 = 1 (Pennington et al. 2017, eq. 22).

    Args:
        use: the activation; None for a linear network.
        q: second moment of the pre-activations.
        depth: layers.
        orthogonal: whether the weights are (s_1 = 0), or normal (s_1 = -1).

    Raises:
        NotElementwiseError: the activation does not act on one number at a time.
        UsageError: it is unknown, or an option is.
    """
    kurtosis = 1.0
    if use is not None:
        kurtosis = moments.derivative_fourth_moment(use, q) / moments.derivative_second_moment(use, q) ** 2
    return depth * (kurtosis - 1.0 + (0.0 if orthogonal else 1.0))


def linear_moment(depth: int, order: int) -> float:
    """E of the order-th power of an eigenvalue for a product of normal matrices: the Fuss-Catalan number.

    binom((L + 1) k, k) / (L k + 1) (Penson & Życzkowski 2011, arXiv 1103.3453, eq. 2).
    """
    return math.comb((depth + 1) * order, order) / (depth * order + 1)


def linear_largest(depth: int) -> float:
    """The largest eigenvalue of J Jᵀ for a product of L normal matrices, (L + 1)^(L + 1) / L^L, near e (L + ½)."""
    return (depth + 1) * (1.0 + 1.0 / depth) ** depth
