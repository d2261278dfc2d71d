"""Layer, group, instance and RMS normalization: each sample is divided by a scale of its own.

Over many units the scale is that of the moments: x' = (x - m) / √(q - m²). Gradients are divided by it (Xiong et al.
2020, arXiv 2002.04745, Lemma 3; what is projected out is one direction in as many as there are units).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.moments import Gradient, Moments
from initprobe.predict.sums import shifted
from initprobe.records import Argument, Held, Signal

EPSILON = 1e-5
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
    """

    centre: float
    second: float
    weight: float


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
        )
        bias = given.get("bias")
        return out if bias is None else shifted(out, call.moments(bias))

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """The gradient over the scale."""
        given = call.given(*ARGUMENTS[call.step.name])
        source = call.step.sources[0]
        scale = self._scale(call, call.moments(Signal(source)), given)
        return {source: gradient.scaled(scale.weight / scale.second)}

    def _scale(self, call: Call, known: Moments, given: Mapping[str, Argument]) -> Scale:
        weight = given.get("weight")
        learned = call.parameter(weight).second if isinstance(weight, Held) else 1.0
        epsilon = given.get("eps")
        floor = float(epsilon) if isinstance(epsilon, (int, float)) else EPSILON
        centre = 0.0
        if call.step.name == "instance_norm":
            centre = known.shared(call.positions, 1.0)
        elif call.step.name != "rms_norm":
            centre = known.mean**2
        return Scale(centre, max(0.0, known.second - centre) + floor, learned)

    def _common(self, call: Call, known: Moments, scale: Scale) -> float:
        """What of the two centres of two samples their product loses."""
        return known.both if call.step.name == "instance_norm" else scale.centre
