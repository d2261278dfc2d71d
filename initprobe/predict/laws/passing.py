"""Operations that move values and change none: views, other orders, copies and padding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.moments import Gradient, Moments, NoPredictionError
from initprobe.records import Argument


@law
class Passing(Law):
    """Views, and other orders of the same values."""

    names = ("roll", "flip", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "interpolate", "upsample")
    effects = ("view",)

    def forward(self, call: Call) -> Moments:
        """Those of what was given."""
        return call.moments(_first(call))

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """Back to where each value came from; one that was spread over others gathers what they got."""
        source = call.step.sources[0] if call.step.sources else None
        if source is None:
            return {}
        share = call.share(source)
        back = gradient.scaled(share, min(1.0, share))
        return {source: back}


@law
class Padding(Law):
    """Zeros, copies of the other edge, or a mirror image around a map."""

    names = ("pad", "constant_pad_nd")

    def forward(self, call: Call) -> Moments:
        """Zeros thin a value out; copies do not."""
        known, part = call.moments(_first(call)), self._part(call)
        return replace(known.scaled(part), mean=known.mean * part, spread=known.spread)

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """Zeros drop what comes back to them; an edge that was copied gathers it."""
        source = call.step.sources[0]
        return {source: gradient.scaled(call.share(source) * self._part(call))}

    def _part(self, call: Call) -> float:
        """How much of the result is not zero."""
        given = call.given("input", "pad", "mode", "value")
        if given.get("mode", "constant") != "constant":
            return 1.0
        if given.get("value"):
            raise NoPredictionError("it pads with a number other than zero")
        return min(1.0, 1.0 / call.share(call.step.sources[0]))


def _first(call: Call) -> Argument:
    return call.step.args[0] if call.step.args else next(iter(call.step.kwargs.values()), None)
