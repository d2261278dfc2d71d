"""Dropout: what is kept is divided by the probability of keeping it (Schoenholz et al. 2017, arXiv 1611.01232, eq. 12).

Second moments grow by 1 / (1 - p); what two places have in common stays, because they drop apart from one another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.moments import Gradient, Moments, NoPredictionError


@law
class Dropout(Law):
    """Dropout of single values, of channels and of positions."""

    names = ("dropout", "dropout1d", "dropout2d", "dropout3d", "feature_dropout")

    def forward(self, call: Call) -> Moments:
        """Its moments."""
        known, keep = call.moments(call.step.args[0]), self._keep(call)
        position = known.position / keep if call.step.name != "dropout" else known.position
        return replace(known, second=known.second / keep, position=position, marginal=None)

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """The same places are dropped on the way back."""
        keep = self._keep(call)
        position = gradient.position / keep if call.step.name != "dropout" else gradient.position
        return {call.step.sources[0]: Gradient(gradient.second / keep, position, gradient.spread)}

    def _keep(self, call: Call) -> float:
        given = call.given("input", "p", "training")
        p, training = given.get("p", 0.5), given.get("training", True)
        if not isinstance(p, (int, float)) or p >= 1.0:
            raise NoPredictionError("it drops everything")
        return 1.0 - p if training else 1.0
