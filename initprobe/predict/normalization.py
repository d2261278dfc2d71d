"""What normalizations do to gradients: factors on the squared gradient per layer, from the output back.

All are at the symmetric state, in which every sample has the same norm and every two the same correlation.
"""

from __future__ import annotations

import math

import numpy as np

from initprobe.activations import moments
from initprobe.activations.base import ACTIVATIONS, Array
from initprobe.records import ActivationUse

NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)
ANGLES = np.linspace(-np.pi, np.pi, 17)
"""Panels over the angle, before kinks cut them."""

POLAR_PANELS = 12
DEVIATIONS = 10.0


def centred_rate(use: ActivationUse) -> float:
    """E f'² / Var f: batch normalization before the activation with a large batch (Yang et al. 2019, arXiv 1902.08129).

    The same for layer normalization behind the activation and for standardized weights, which both take the mean of the
    activations away. By Poincaré's inequality it is never below 1 where f is continuous: π / (π - 1) = 1.467 for relu.

    Raises:
        NotElementwiseError: the activation does not act on one number at a time.
        UsageError: it is unknown, or an option is.
    """
    variance = moments.second_moment(use) - moments.mean(use) ** 2
    return moments.derivative_second_moment(use) / variance if variance > 0.0 else math.inf


def plain_rate(use: ActivationUse) -> float:
    """E f'² / E f²: layer normalization before the activation, and RMS normalization on either side.

    f(LN(W h)) scales its pre-activations to second moment 1, whose mean over units is zero anyway, and the gradient by
    the same factor; the derivative through the norm itself is one direction in n. Raises like ``centred_rate``.
    """
    return moments.derivative_second_moment(use) / moments.second_moment(use)


def batch_norm_rate(use: ActivationUse, batch: int) -> float:
    """The factor for batch normalization before the activation with ``batch`` samples (4 or more), width infinite.

    A unit's B pre-activations, normalized, are uniform on a sphere of B - 1 dimensions, x; what they were divided by is
    an independent chi² with B - 1 degrees of freedom, whose inverse has the mean 1 / (B - 3). With the Jacobian of the
    normalization, a projection away from the ones and from x, the trace of the gradients' covariance is multiplied by

        ((B - 1) E f'² + E f'_1 f'_2 - E x² f'² + E x_1 x_2 f'_1 f'_2) / ((B - 3) (E f² - E f_1 f_2)),

    with two samples 1 and 2 (Yang et al. 2019, arXiv 1902.08129, section 3; (B - 2) / (B - 3) without an activation).

    Args:
        use: the activation with its options.
        batch: samples.

    Raises:
        ValueError: the batch is smaller than 4: the mean is infinite.
        NotElementwiseError: the activation does not act on one number at a time.
        UsageError: it is unknown, or an option is.
    """
    if batch < 4:
        raise ValueError(f"the gradient through a batch of {batch} has no finite second moment: it takes 4 samples")
    leaf = ACTIVATIONS.find(use.name)
    if leaf.value is None or leaf.derivative is None:
        raise moments.NotElementwiseError(f"{use.name} does not act on one number at a time: it has no rate")
    options = moments.resolved_options(use)
    x, y, weights = _on_the_sphere(batch, np.array(leaf.kinks(**options)))
    one, other = leaf.value(x, **options), leaf.value(y, **options)
    slope, other_slope = leaf.derivative(x, **options), leaf.derivative(y, **options)
    square = one**2 if leaf.value_square is None else leaf.value_square(x, **options)
    slope_square = slope**2 if leaf.derivative_square is None else leaf.derivative_square(x, **options)
    shared = slope * other_slope * (1.0 + x * y)
    above = float(weights @ ((batch - 1.0 - x * x) * slope_square + shared))
    return above / ((batch - 3.0) * float(weights @ (square - one * other)))


def _on_the_sphere(batch: int, kinks: Array) -> tuple[Array, Array, Array]:
    """Points and weights for the mean over two coordinates of a normalized batch, each of variance 1.

    In polar coordinates x = √(B - 1) sin φ cos θ and y = √(B - 1) sin φ cos(θ - α) with cos α = -1 / (B - 1), and the
    density is that of two coordinates on a sphere in B - 1 dimensions, sin φ cos^(B - 4) φ.
    """
    reach, angle = math.sqrt(batch - 1.0), math.acos(-1.0 / (batch - 1.0))
    edges = np.linspace(0.0, min(np.pi / 2.0, DEVIATIONS / reach), POLAR_PANELS + 1)
    with np.errstate(divide="ignore"):
        touched = np.arcsin(np.minimum(np.abs(kinks) / reach, 1.0))
    edges = np.unique(np.concatenate([edges, touched[touched < edges[-1]]]))
    half = 0.5 * np.diff(edges)[:, None]
    phi = ((0.5 * (edges[:-1] + edges[1:]))[:, None] + half * NODES).ravel()
    outer = (half * WEIGHTS).ravel() * np.sin(phi) * np.cos(phi) ** (batch - 4)
    radius = reach * np.sin(phi)[:, None]
    with np.errstate(invalid="ignore"):
        crossing = np.nan_to_num(np.arccos(kinks / radius), nan=0.0)
    bends = np.concatenate([crossing, -crossing, angle + crossing, angle - crossing], axis=1)
    bends = np.remainder(bends + np.pi, 2.0 * np.pi) - np.pi
    panels = np.sort(np.concatenate([np.broadcast_to(ANGLES, (phi.size, ANGLES.size)), bends], axis=1), axis=1)
    width = 0.5 * np.diff(panels, axis=1)[..., None]
    theta = 0.5 * (panels[:, :-1] + panels[:, 1:])[..., None] + width * NODES
    weights = outer[:, None, None] * width * WEIGHTS
    x, y = radius[..., None] * np.cos(theta), radius[..., None] * np.cos(theta - angle)
    return x.ravel(), y.ravel(), (weights / weights.sum()).ravel()
