"""Averages over positions: what they share stays, what is each one's own is divided by their number."""

from __future__ import annotations

from collections.abc import Mapping

from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.moments import Gradient, Moments, NoPredictionError


@law
class Averaging(Law):
    """Average pooling, adaptive or not, and means over axes."""

    crosses = True
    names = (
        *(f"avg_pool{n}d" for n in (1, 2, 3)),
        *(f"adaptive_avg_pool{n}d" for n in (1, 2, 3)),
        "mean",
    )  # fmt: skip

    def forward(self, call: Call) -> Moments:
        """Its moments."""
        known, number = call.moments(call.step.args[0]), self._number(call)
        return Moments(
            second=known.second / number + (1.0 - 1.0 / number) * known.position,
            position=known.position,
            pair=known.pair / number + (1.0 - 1.0 / number) * known.both,
            both=known.both,
            mean=known.mean,
            spread=known.spread,
        )

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """To every position of a window its share of one gradient."""
        number = self._number(call)
        source = call.step.sources[0]
        factor = call.share(source) / number  # outputs for each input, over the square of the window
        whole = call.positions * number  # positions of the source, if windows do not overlap
        beside = (number - 1.0) / max(1.0, whole - 1.0)
        position = factor * (beside * gradient.second + (1.0 - beside) * gradient.position)
        return {source: Gradient(factor * gradient.second, position, gradient.spread)}

    def _number(self, call: Call) -> float:
        """Positions that are averaged."""
        source = call.shapes[call.step.sources[0]]
        if call.step.name.startswith("avg"):
            size = call.given("input", "kernel_size").get("kernel_size")
            rank = int(call.step.name[-2])
            sizes = size if isinstance(size, tuple) else (size,)
            each = sizes * rank if len(sizes) == 1 else sizes
            number = 1.0
            for extent in each:
                if not isinstance(extent, (int, float)):
                    raise NoPredictionError("its window has no size")
                number *= extent
            return number
        size = 1
        for extent in source:
            size *= extent
        return size / call.step.size
