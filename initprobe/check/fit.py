"""The gain per layer: least squares of log RMS against depth, with an interval over seeds or over layers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from initprobe.check.bands import Band
from initprobe.check.interval import CONFIDENCE, Interval, student_t, t_interval
from initprobe.check.signals import Array
from initprobe.records import Estimate, Gain

Basis = Literal["seeds", "layers"]

SHORTEST_RUN = 4
"""Sites that a fit needs: below that a slope and a single jump cannot be told apart."""

MOST_SEEDS = 10_000
"""Beyond that many seeds nobody will settle a verdict; the limit is what has to move."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Log RMS along a run, in the direction in which its depth is counted.

    Attributes:
        depths: position of each site in the run, increasing, shape (sites,).
        logs: natural log of the RMS, finite, shape (seeds, sites).
        units: units of each site, nan where unknown, shape (sites,).
    """

    depths: Array
    logs: Array
    units: Array

    @property
    def span(self) -> float:
        """Layers between the first and the last site."""
        return float(self.depths[-1] - self.depths[0])

    @property
    def slopes(self) -> Array:
        """The least-squares log gain per layer, one per seed."""
        return np.asarray(self.logs @ self._weights, dtype=np.float64)

    @property
    def _weights(self) -> Array:
        centred = self.depths - self.depths.mean()
        return np.asarray(centred / (centred @ centred), dtype=np.float64)

    def slope_interval(self, basis: Basis, confidence: float) -> Interval:
        """The mean slope with its interval."""
        if basis == "seeds":
            return t_interval(self.slopes.tolist(), confidence)
        return self._interval_over_layers(confidence)

    def _interval_over_layers(self, confidence: float) -> Interval:
        """The interval of one draw's slope.

        The slope is a weighted sum of the steps from site to site, and these are taken as independent. Their variance
        is that along the run, but never below the finite-width law 5 / (4 units) of a log RMS step under ReLU
        (Hanin & Nica 2018, arXiv:1812.05994: Var log |h|² = 5 / n a layer).
        """
        gaps = np.diff(self.depths)
        steps = np.diff(self.logs.mean(axis=0))
        # Step k moves every site behind it.
        weights = np.cumsum(self._weights[::-1])[::-1][1:]
        slope = float(self.slopes.mean())
        spread = float(np.var(steps - slope * gaps)) * len(steps) / (len(steps) - 1)
        law = np.where(np.isnan(self.units[:-1]), 0.0, 5.0 / (4.0 * self.units[:-1])) * gaps
        deviation = math.sqrt(float(weights**2 @ np.maximum(spread, law)))
        half = student_t((1.0 + confidence) / 2.0, len(steps) - 1) * deviation
        return Interval(slope, slope - half, slope + half)

    def gain(self, band: Band, basis: Basis, confidence: float, family: int = 1) -> Gain:
        """The judged gain: 95 % for the number that is shown, ``confidence`` for the drift that is judged.

        A drift passes, or stays open, on its own evidence. To be accused it needs more: with ``family`` streams in one
        network its interval is at the level 1 - (1 - confidence) / family (Bonferroni), so that a network of many
        streams is wrongly accused no more often than one with a single stream.
        """
        drift = self._drift(basis, confidence)
        if band.status(drift.low, drift.high) in {"warning", "error"}:
            confidence = 1.0 - (1.0 - confidence) / family
            drift = self._drift(basis, confidence)
        drifts = self.slopes * self.span
        return Gain(
            per_layer=self.per_layer(basis),
            drift=_exponential(drift, drifts),
            status=band.status(drift.low, drift.high),
            basis=basis,
            confidence=confidence,
            more=_seeds_to_settle(drift, drifts, band, confidence) if basis == "seeds" else None,
        )

    def _drift(self, basis: Basis, confidence: float) -> Interval:
        """The log drift over the run."""
        return Interval(*(bound * self.span for bound in self.slope_interval(basis, confidence)))

    def per_layer(self, basis: Basis) -> Estimate:
        """The gain per layer with its 95 % interval."""
        return _exponential(self.slope_interval(basis, CONFIDENCE), self.slopes)


def _exponential(interval: Interval, per_seed: Array) -> Estimate:
    mean, low, high = (_exp(bound) for bound in interval)
    return Estimate(mean, low, high, tuple(_exp(value) for value in per_seed.tolist()))


def _exp(value: float) -> float:
    """The exponential of a number, infinite where float64 ends."""
    return math.exp(value) if value < 709.0 else math.inf


def _seeds_to_settle(drift: Interval, drifts: Array, band: Band, confidence: float) -> int | None:
    """How many seeds would pull the interval off the limits that it reaches across, None for none or too many."""
    edges = band.edges(drift.low, drift.high)
    distance = min((abs(edge - drift.mean) for edge in edges), default=0.0)
    if distance == 0.0:
        return None
    deviation = float(drifts.std(ddof=1))
    seeds = len(drifts) + 1
    while seeds <= MOST_SEEDS:
        if student_t((1.0 + confidence) / 2.0, seeds - 1) * deviation < distance * math.sqrt(seeds):
            return seeds
        seeds = math.ceil(seeds * 1.1)
    return None
