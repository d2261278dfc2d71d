"""From base variates to numbers of a given standard deviation.

The same base variates give the same numbers up to the scale, so that schemes are compared on the same draws.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.variates import Variates

Distribution = Literal["normal", "uniform", "truncated_normal"]
Shape = tuple[int, ...]


def constant(shape: Shape, value: float) -> Tensor:
    """The same number everywhere, float32."""
    import torch

    return torch.full(shape, value, dtype=torch.float32, device="cpu")


def normal(variates: Variates, shape: Shape, std: float) -> Tensor:
    """N(0, std²), float32."""
    return variates.normal(shape).mul_(std)


def uniform(variates: Variates, shape: Shape, limit: float) -> Tensor:
    """U(-limit, limit), standard deviation limit / √3, float32."""
    return variates.uniform(shape).mul_(2.0).sub_(1.0).mul_(limit)


def truncated_normal(variates: Variates, shape: Shape, std: float, low: float = -2.0, high: float = 2.0) -> Tensor:
    """N(0, std²) cut off at low · std and high · std, float64, by the inverse of the distribution function.

    The standard deviation of what is left is ``truncated_std(low, high) * std``.
    """
    import torch

    if low + high > 0.0:  # the distribution function has its digits in the lower tail
        return truncated_normal(variates, shape, std, -high, -low).neg_()
    below, above = _cdf(low), _cdf(high)
    # The base variates are multiples of 2⁻²⁴ from zero on: the middle of the step keeps clear of the infinite ends.
    share = variates.uniform(shape).double().add_(2.0**-25)
    values: Tensor = torch.special.ndtri(share.mul_(above - below).add_(below)).clamp_(low, high).mul_(std)
    return values


def truncated_std(low: float = -2.0, high: float = 2.0) -> float:
    """The standard deviation of N(0, 1) cut off at low and high (0.8796 for ±2)."""
    mass = _cdf(high) - _cdf(low) if low + high <= 0.0 else _cdf(-low) - _cdf(-high)
    mean = (_density(low) - _density(high)) / mass
    return math.sqrt(1.0 + (low * _density(low) - high * _density(high)) / mass - mean * mean)


def haar(numbers: Tensor) -> Tensor:
    """A semi-orthogonal matrix from a matrix of normal numbers, float64: Q Qᵀ = 1 or Qᵀ Q = 1, by Haar's measure.

    The diagonal of R is made positive: without that the distribution depends on the algorithm, and is not Haar's
    (Mezzadri 2007, arXiv math-ph/0609050).
    """
    import torch

    wide = numbers.shape[-2] < numbers.shape[-1]
    q: Tensor
    q, r = torch.linalg.qr(numbers.double().mT if wide else numbers.double())
    q = q * torch.where(r.diagonal(dim1=-2, dim2=-1) < 0.0, -1.0, 1.0).unsqueeze(-2)
    return q.mT if wide else q


def draw(variates: Variates, shape: Shape, distribution: Distribution, std: float) -> Tensor:
    """Numbers with mean zero and that standard deviation; the truncated normal is cut off at two of its sigmas."""
    if distribution == "uniform":
        return uniform(variates, shape, math.sqrt(3.0) * std)
    if distribution == "truncated_normal":
        return truncated_normal(variates, shape, std / truncated_std())
    return normal(variates, shape, std)


def _cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def _density(x: float) -> float:
    return math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
