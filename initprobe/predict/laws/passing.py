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
        if part < 1.0:
            both = part**2 / self._apart(call, 1.0)
            found = replace(known.scaled(part), mean=known.mean * part, spread=known.spread)
            return replace(found, position=known.position * both, both=known.both * both)
        again = self._again(call) / max(1.0, call.positions - 1.0)
        return replace(
            known,
            position=known.position + again * (known.second - known.position),
            both=known.both + again * (known.pair - known.both),
        )

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """Zeros drop what comes back to them; an edge that was copied gathers it."""
        source, part = call.step.sources[0], self._part(call)
        if part < 1.0:
            return {source: gradient.scaled(call.share(source) * part)}
        # What two copies of a value get came through different taps of the kernel behind them.
        share = call.share(source)
        return {source: gradient.scaled(share, share * self._apart(call, self._again(call) + 1.0))}

    def _again(self, call: Call) -> float:
        """At how many other positions, on average, a value of the result stands too."""
        given = call.given("input", "pad", "mode")
        squares = 1.0
        for before, behind in zip(call.shapes[call.step.sources[0]], call.step.shape, strict=False):
            extra = behind - before
            edges = 2.0 * (1.0 + extra / 2.0) ** 2 - 2.0 if given.get("mode") == "replicate" else 3.0 * extra
            squares *= (before + edges) / behind if extra > 0 else 1.0
        return squares - 1.0

    def _apart(self, call: Call, copies: float) -> float:
        """Pairs of positions of the result that stand for two of the source, over all, relative to theirs."""
        places = call.positions / call.share(call.step.sources[0])
        if places <= 1.0:
            return 1.0
        return (1.0 - copies / call.positions) / (1.0 - 1.0 / places)

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
