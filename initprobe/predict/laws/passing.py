"""Operations that move values and change none: views, slices, padding, concatenation and stacks of signals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.moments import Gradient, Moments, NoPredictionError
from initprobe.records import Argument, Signal


@law
class Passing(Law):
    """Views, and choices of some of the values."""

    names = (
        "__getitem__", "getitem", "narrow", "select", "index_select", "chunk", "split", "unbind", "tensor_split",
        "roll", "flip", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "slice",
    )  # fmt: skip
    effects = ("view",)

    def forward(self, call: Call) -> Moments:
        """Those of what was given, or of the one index of the first axis that is taken."""
        known = call.moments(_first(call))
        taken = _taken(call) if call.step.sources else None
        return known.part(taken[1]) if taken is not None and taken[0] == 0 else known

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """Back to where each value came from; those left out get nothing, those spread gather what they gave."""
        source = call.step.sources[0] if call.step.sources else None
        if source is None:
            return {}
        share = call.share(source)
        back = gradient.scaled(share, min(1.0, share))
        return {source: replace(back, parts=_parts(call, gradient, back.second))}


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


@law
class Concatenation(Law):
    """Signals side by side: the moments are averaged by size."""

    names = ("cat", "concat", "concatenate", "stack", "hstack", "vstack", "dstack")

    def forward(self, call: Call) -> Moments:
        """The mean of all, each as often as it has values."""
        parts = [(call.moments(part), self._share(call, part)) for part in self._parts(call)]
        whole = sum(share for _, share in parts)

        def mean(name: str) -> float:
            return sum(getattr(known, name) * share for known, share in parts) / whole

        return Moments(*(mean(name) for name in ("second", "position", "pair", "both", "mean", "spread")))

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """To each signal its part of the gradient."""
        given: dict[int, Gradient] = {}
        for part in self._parts(call):
            if isinstance(part, Signal):
                given[part.step] = gradient.plus(given.get(part.step))
        return given

    def _parts(self, call: Call) -> tuple[Argument, ...]:
        parts = call.given("tensors").get("tensors")
        if not isinstance(parts, tuple):
            raise NoPredictionError("nothing tells what it puts side by side")
        return parts

    def _share(self, call: Call, part: Argument) -> float:
        if isinstance(part, Signal):
            return 1.0 / call.share(part.step)
        size = 1
        for extent in getattr(part, "shape", ()):
            size *= extent
        return size / call.step.size


def _parts(call: Call, gradient: Gradient, second: float) -> tuple[tuple[int, int, float], ...]:
    """Where one index of an axis was taken, all of the gradient lies there; a cut along the last axis moves nothing."""
    shape, taken = call.shapes[call.step.sources[0]], _taken(call)
    if taken is not None:
        return ((*taken, second),)
    if len(shape) == len(call.step.shape) and shape[:-1] == call.step.shape[:-1] and gradient.second > 0.0:
        return tuple((axis, index, part * second / gradient.second) for axis, index, part in gradient.parts)
    return ()


def _taken(call: Call) -> tuple[int, int] | None:
    """The axis of which one index is taken, and that index."""
    if call.step.name != "getitem" or len(call.step.args) < 2:
        return None
    shape, chosen = call.shapes[call.step.sources[0]], call.step.args[1]
    indices = chosen if isinstance(chosen, tuple) else (chosen,)
    taken = [(axis, index) for axis, index in enumerate(indices) if type(index) is int]
    if len(taken) != 1 or (*shape[: taken[0][0]], *shape[taken[0][0] + 1 :]) != call.step.shape:
        return None
    return taken[0]


def _first(call: Call) -> Argument:
    return call.step.args[0] if call.step.args else next(iter(call.step.kwargs.values()), None)
