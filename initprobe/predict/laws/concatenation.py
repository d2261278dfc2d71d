"""Signals side by side: moments are averaged by size; positions that come from different signals stay of two kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.moments import Gradient, Moments, NoPredictionError, averaged, pooled
from initprobe.records import Argument, Signal


@law
class Concatenation(Law):
    """Signals side by side: the moments are averaged by size."""

    crosses = True
    names = ("cat", "concat", "concatenate", "stack", "hstack", "vstack", "dstack")

    def forward(self, call: Call) -> Moments:
        """The mean of all, each as often as it has values."""
        parts = [(self._share(call, part), replace(call.moments(part), kinds=())) for part in self._parts(call)]
        whole = sum(share for share, _ in parts)
        weighted = [(share / whole, known) for share, known in parts]
        return pooled(weighted) if self._of_positions(call) else averaged(weighted)

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """To each signal its part of the gradient."""
        given: dict[int, Gradient] = {}
        parts = self._parts(call)
        for place, part in enumerate(parts):
            own = gradient.kinds[place][1] if len(gradient.kinds) == len(parts) else replace(gradient, kinds=())
            if isinstance(part, Signal):
                given[part.step] = own.plus(given.get(part.step))
        return given

    def _of_positions(self, call: Call) -> bool:
        """Whether it puts positions side by side, and not units: (samples, positions, units), along the second axis."""
        given = call.given("tensors", "dim")
        dim, rank = given.get("dim", given.get("axis", 0)), len(call.step.shape)
        return (
            rank == 3
            and isinstance(dim, int)
            and dim % rank == 1
            and call.step.name in {"cat", "concat", "concatenate"}
        )

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
