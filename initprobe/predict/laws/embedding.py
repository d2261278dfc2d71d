"""Looking up rows of a table: independent rows for different tokens; the same row in all samples for a fixed index."""

from __future__ import annotations

from collections.abc import Mapping

from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.moments import Gradient, Moments, NoPredictionError
from initprobe.records import Fixed, Held, Signal


@law
class Embedding(Law):
    """Tables of tokens, and tables of positions."""

    names = ("embedding",)

    def forward(self, call: Call) -> Moments:
        """Its moments, over the rows of the table."""
        given = call.given("input", "weight")
        table = given.get("weight")
        if not isinstance(table, Held):
            raise NoPredictionError("its table is no parameter")
        known = call.parameter(table)
        rows = table.shape[0] if table.shape else 1
        chance = known.second / rows + (1.0 - 1.0 / rows) * known.mean**2
        index = given.get("input")
        if isinstance(index, Signal):
            return Moments(known.second, chance, chance, chance, known.mean)
        if isinstance(index, Fixed) and index.second <= index.mean**2 * (1.0 + 1e-9):  # one row for all
            return Moments(known.second, known.second, known.second, known.second, known.mean)
        return Moments(known.second, known.mean**2, known.second, known.mean**2, known.mean)

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """Nothing: tokens have no gradient."""
        del call, gradient
        return {}
