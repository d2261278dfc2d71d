"""Layer, group, instance and RMS normalization: each sample is divided by a scale of its own.

Over many units the scale is that of the moments: x' = (x - m) / √(q - m²). Gradients are divided by it (Xiong et al.
2020, arXiv 2002.04745, Lemma 3; what is projected out is one direction in as many as there are units).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.moments import Gradient, Moments, NoPredictionError, ParameterMoments
from initprobe.predict.sums import shifted
from initprobe.records import Argument, Held, Signal

EPSILON = 1e-5
FEWEST = 6.0
"""Positions of a channel up to which instance normalization leaves its variance to chance."""
ARGUMENTS = {
    "layer_norm": ("input", "normalized_shape", "weight", "bias", "eps"),
    "rms_norm": ("input", "normalized_shape", "weight", "eps"),
    "group_norm": ("input", "num_groups", "weight", "bias", "eps"),
    "instance_norm": (
        "input", "running_mean", "running_var", "weight", "bias", "use_input_stats", "momentum", "eps"
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scale:
    """What a sample is divided by.

    Attributes:
        centre: what is taken off, squared, as moments over positions: of the mean, or of each channel's own.
        second: E of the square that it is divided by.
        weight: second moment of the learned scale.
        centre_of_weight: its mean.
    """

    centre: float
    second: float
    weight: float
    centre_of_weight: float


@law
class LayerNorm(Law):
    """Normalizations of one sample."""

    names = ("layer_norm", "group_norm", "rms_norm", "instance_norm")

    def forward(self, call: Call) -> Moments:
        """A second moment of 1, times the learned scale."""
        given = call.given(*ARGUMENTS[call.step.name])
        known = call.moments(given.get("input"))
        scale = self._scale(call, known, given)
        factor = scale.weight / scale.second
        out = Moments(
            second=(known.second - scale.centre) * factor,
            position=(known.position - scale.centre) * factor,
            pair=(known.pair - self._common(call, known, scale)) * factor,
            both=(known.both - self._common(call, known, scale)) * factor,
            mean=known.mean * scale.centre_of_weight / scale.second**0.5 if call.step.name == "rms_norm" else 0.0,
        )
        bias = given.get("bias")
        return out if bias is None else shifted(out, call.moments(bias))

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """The gradient over the scale; where a channel has its own, less what the statistics take back."""
        given = call.given(*ARGUMENTS[call.step.name])
        source = call.step.sources[0]
        scale = self._scale(call, call.moments(Signal(source)), given)
        factor = scale.weight / scale.second
        if call.step.name != "instance_norm":
            return {source: gradient.scaled(factor)}
        places = call.positions
        if places <= FEWEST:
            raise NoPredictionError("it normalizes over so few values that their variance is left to chance")
        common = (gradient.second + (places - 1.0) * gradient.position) / places
        # Of n normal values the inverse variance has the mean (n - 1) / (n - 3) over that of the variance.
        second = (gradient.second - common) * (places - 2.0) / (places - 1.0) * factor * (places - 1.0) / (places - 3.0)
        return {source: Gradient(second, -second / (places - 1.0), gradient.spread)}

    def _scale(self, call: Call, known: Moments, given: Mapping[str, Argument]) -> Scale:
        weight = given.get("weight")
        learned = call.parameter(weight) if isinstance(weight, Held) else ParameterMoments(1.0, 1.0)
        epsilon = given.get("eps")
        floor = float(epsilon) if isinstance(epsilon, (int, float)) else EPSILON
        centre = 0.0
        if call.step.name == "instance_norm":
            centre = known.shared(call.positions, 1.0)
        elif call.step.name != "rms_norm":
            centre = known.mean**2
        return Scale(centre, max(0.0, known.second - centre) + floor, learned.second, learned.mean)

    def _common(self, call: Call, known: Moments, scale: Scale) -> float:
        """What of the two centres of two samples their product loses."""
        return known.both if call.step.name == "instance_norm" else scale.centre
