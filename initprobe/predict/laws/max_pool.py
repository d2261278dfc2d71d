"""Max pooling: of k independent values with the distribution function F, the largest has F^k.

What normal values share moves the largest along. Of others, those that share a part of their variance count as fewer:
1 + (k - 1) (1 - c) for a correlation of c.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.marginal import largest_of, normal_values
from initprobe.predict.moments import Gradient, Moments, NoPredictionError


@law
class MaxPool(Law):
    """Max pooling of a signal, behind an activation or none."""

    names = (*(f"max_pool{n}d" for n in (1, 2, 3)), *(f"max_pool{n}d_with_indices" for n in (1, 2, 3)))

    def forward(self, call: Call) -> Moments:
        """Its moments."""
        known, number = call.moments(call.step.args[0]), self._number(call)
        if known.marginal is None:
            return self._normal(known, number)
        spare = known.second - known.mean**2
        cosine = (known.position - known.mean**2) / spare if spare > 0.0 else 1.0
        independent = 1.0 + (number - 1.0) * (1.0 - min(1.0, max(0.0, cosine)))
        values = known.marginal.read().values()
        likely = largest_of(independent, values.size)
        mean, second = float(values @ likely), float(values**2 @ likely)

        # Two maxima have their means in common, and what else the values shared, in proportion.
        def common(value: float) -> float:
            part = (value - known.mean**2) / spare if spare > 0.0 else 1.0
            return mean**2 + part * (second - mean**2)

        return Moments(second, common(known.position), common(known.pair), common(known.both), mean, known.spread)

    def _normal(self, known: Moments, number: int) -> Moments:
        """What a window shares is a shift of its largest value; the rest is independent."""
        own = max(0.0, known.second - known.position)
        values = normal_values(0.0, own)
        likely = largest_of(number, values.size)
        mean, second = float(values @ likely), float(values**2 @ likely)
        shift = 2.0 * known.mean * mean
        part = (known.pair - known.both) / own if own > 0.0 else 1.0
        return Moments(
            second=known.position + shift + second,
            position=known.position + shift + mean**2,
            pair=known.both + shift + mean**2 + part * (second - mean**2),
            both=known.both + shift + mean**2,
            mean=known.mean + mean,
            spread=known.spread,
        )

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """To the largest of each window."""
        source = call.step.sources[0]
        share = call.share(source)
        return {source: replace(gradient.scaled(share, min(1.0, share)), largest=self._number(call))}

    def _number(self, call: Call) -> int:
        size = call.given("input", "kernel_size").get("kernel_size")
        rank = int(call.step.name.removesuffix("_with_indices")[-2])
        sizes = size if isinstance(size, tuple) else (size,)
        number = 1
        for extent in sizes * rank if len(sizes) == 1 else sizes:
            if not isinstance(extent, (int, float)):
                raise NoPredictionError("its window has no size")
            number *= int(extent)
        return number
