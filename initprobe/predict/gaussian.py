"""What the Gaussian integrals of an activation come to: moments, gains, and the rates that normalizations bring.

Everything is at q = 1, where a calibrated or normalized network holds its pre-activations.
"""

from __future__ import annotations

import math

from initprobe.activations import moments
from initprobe.predict.normalization import centred_rate, plain_rate
from initprobe.records import ActivationUse, Gains, Moments, Rates

TORCH = {"sigmoid": 1.0, "tanh": 5.0 / 3.0, "relu": math.sqrt(2.0), "selu": 0.75}
"""``torch.nn.init.calculate_gain``; its leaky_relu takes a slope, √(2 / (1 + slope²))."""


def moments_of(use: ActivationUse) -> Moments:
    """The integrals of an activation for a standard normal z.

    Raises:
        NotElementwiseError: the activation does not act on one number at a time.
        UsageError: it is unknown, an option is, or it passes no signal at all.
    """
    second = moments.forward_gain(use) ** -2.0
    mean, slope = moments.mean(use), moments.second_moment_slope(use)
    variance, response = second - mean * mean, moments.scale_response(use)
    return Moments(
        mean=mean,
        second=second,
        variance=variance,
        derivative_second=moments.derivative_second_moment(use),
        derivative_fourth=moments.derivative_fourth_moment(use),
        response=response,
        slope=slope / second,
        least_cosine=mean * mean / second,
        norm_mode=(slope - mean * response) / variance if variance > 0.0 else math.nan,
    )


def gains_of(use: ActivationUse, found: Moments) -> Gains:
    """Gains from the moments, beside those that common schemes take."""
    torch_gain = TORCH.get(use.name)
    if use.name == "leaky_relu":
        slope = moments.resolved_options(use)["negative_slope"]
        torch_gain = math.sqrt(2.0 / (1.0 + float(slope) ** 2))
    return Gains(
        forward=_inverse_root(found.second),
        backward=_inverse_root(found.derivative_second),
        normalized=_inverse_root(found.variance),
        he=math.sqrt(2.0),
        xavier=1.0,
        torch=torch_gain,
    )


def rates_of(use: ActivationUse) -> Rates:
    """What each normalization multiplies the squared gradient by per layer; raises like ``moments_of``."""
    centred, plain = centred_rate(use), plain_rate(use)
    return Rates(batch_norm=centred, layer_norm_before=plain, layer_norm_after=centred, rms_norm=plain)


def _inverse_root(moment: float) -> float:
    return 1.0 / math.sqrt(moment) if moment > 0.0 else math.inf
