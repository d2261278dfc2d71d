"""Sums of weighted values, and of a value and what does not depend on it: arithmetic that several laws share."""

from __future__ import annotations

from dataclasses import replace

from initprobe.predict.moments import Moments, NoPredictionError, ParameterMoments

MOSTLY = 0.25
"""Part of the second moment of a weight that its mean may have."""


def weighted(known: Moments, weight: ParameterMoments, taps: float) -> Moments:
    """A sum over ``taps`` values, each times a weight of its own.

    Weights with a mean add that mean times the sum of the values, which no unit is spared.

    Raises:
        NoPredictionError: the weights are mostly their mean, so that all units are copies of one.
    """
    if weight.mean**2 > MOSTLY * weight.second:
        raise NoPredictionError("its weights are nearly constant: its units are copies of one another")
    known = known.without_mean() if weight.centred else known
    free = weight.second - weight.mean**2
    common = weight.mean**2 * taps * (taps - 1.0) * known.mean**2
    factor = taps * (free + weight.mean**2)
    out = known.scaled(factor)
    return replace(
        out,
        second=out.second + common,
        position=out.position + common,
        pair=out.pair + common,
        both=out.both + common,
        mean=taps * weight.mean * known.mean,
    )


def shifted(known: Moments, bias: Moments) -> Moments:
    """The sum of a value and of something that does not depend on it."""
    cross = 2.0 * known.mean * bias.mean
    second = known.second + bias.second + cross
    part = known.second / second if second > 0.0 else 1.0
    return Moments(
        second=second,
        position=known.position + bias.position + cross,
        pair=known.pair + bias.pair + cross,
        both=known.both + bias.both + cross,
        mean=known.mean + bias.mean,
        # Both belong to the same units: a normal sum strays as its parts would, weighted with their shares of it.
        spread=(part * known.spread**0.5 + max(0.0, 1.0 - part) * bias.spread**0.5) ** 2,
    )
