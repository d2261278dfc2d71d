"""Batch normalization: every channel loses its mean over samples and positions, and is divided by its deviation.

x' = (x - m) / √(q - m²) with m² the part that all samples and positions share; the gradient is divided by the same
deviation and loses what it shares with the mean and with x' (Yang et al. 2019, arXiv 1902.08129, section 3; De & Smith
2020, arXiv 2002.10444).
"""

from __future__ import annotations

from collections.abc import Mapping

from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.moments import Gradient, Moments, NoPredictionError
from initprobe.predict.sums import shifted
from initprobe.records import Argument, Held, Signal

ARGUMENTS = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
EPSILON = 1e-5
FEWEST = 4.0
"""Independent values in a channel, less one, below which nothing is said."""


@law
class BatchNorm(Law):
    """Batch normalization with the statistics of the batch, or with those that it keeps."""

    crosses = True
    names = ("batch_norm",)

    def forward(self, call: Call) -> Moments:
        """Its moments."""
        given = call.given(*ARGUMENTS)
        known = call.moments(given.get("input"))
        centre, deviation = self._statistics(call, known, given)
        factor = self._weight(call, given) / deviation
        out = Moments(
            second=(known.second - centre) * factor,
            position=(known.position - centre) * factor,
            pair=(known.pair - centre) * factor,
            both=(known.both - centre) * factor,
            spread=0.0 if self._batch(given) else known.spread,
            marginal=None
            if known.marginal is None
            else known.marginal.read().plus(-(centre**0.5), 0.0).rescaled(factor),
        )
        bias = given.get("bias")
        return out if bias is None else shifted(out, call.moments(bias))

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """The gradient over the deviation, without what the statistics take back."""
        given = call.given(*ARGUMENTS)
        source = call.step.sources[0]
        known = call.moments(Signal(source))
        _, deviation = self._statistics(call, known, given)
        factor = self._weight(call, given) / deviation
        if not self._batch(given):
            return {source: gradient.scaled(factor)}
        places = call.positions * call.facts.samples
        common = (gradient.second + (call.positions - 1.0) * gradient.position) / places
        along = gradient.second / places  # x' has nothing to do with the gradient but by chance
        factor *= self._inverse(call, known)
        lost = common + along
        return {
            source: Gradient(
                max(0.0, gradient.second - lost) * factor, (gradient.position - common) * factor, gradient.spread
            )
        }

    def _inverse(self, call: Call, known: Moments) -> float:
        """E 1/v of a channel's variance v over 1/E v: few places leave it uncertain, and gradients go by its inverse.

        Of n independent normal values v is distributed like χ² with n - 1 degrees of freedom, whose inverse has the
        mean (n - 1) / (n - 3).
        """
        centre = known.shared(call.positions, call.facts.samples)
        own = Moments(known.second - centre, known.position - centre, known.pair - centre, known.both - centre)
        freedom = 1.0 / own.alike(call.positions, call.facts.samples) - 1.0
        if freedom < FEWEST:
            raise NoPredictionError("it normalizes over so few values that their variance is left to chance")
        return freedom / (freedom - 2.0)

    def _statistics(self, call: Call, known: Moments, given: Mapping[str, Argument]) -> tuple[float, float]:
        """The squared mean that is taken off, and the variance that it is divided by."""
        floor = given.get("eps")
        epsilon = float(floor) if isinstance(floor, (int, float)) else EPSILON
        if self._batch(given):
            centre = known.shared(call.positions, call.facts.samples)
            return centre, max(0.0, known.second - centre) + epsilon
        mean, variance = call.moments(given.get("running_mean")), call.moments(given.get("running_var"))
        if mean.second > 0.0:
            raise NoPredictionError("it takes off a mean that it kept")
        return 0.0, variance.mean + epsilon

    def _batch(self, given: Mapping[str, Argument]) -> bool:
        return bool(given.get("training")) or given.get("running_mean") is None

    def _weight(self, call: Call, given: Mapping[str, Argument]) -> float:
        weight = given.get("weight")
        return call.parameter(weight).second if isinstance(weight, Held) else 1.0
