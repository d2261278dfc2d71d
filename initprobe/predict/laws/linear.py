"""A product with a matrix of independent entries: the q-map of Poole et al. 2016 (arXiv 1606.05340, eq. 3) without f.

q' = fan_in · E w² · q + E b², and E g² at the input is fan_out · E w² · E g² at the output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.moments import Gradient, Moments, NoPredictionError
from initprobe.predict.sums import shifted, weighted
from initprobe.records import Argument, Held, Signal

INPUT_FIRST = ("input", "weight", "bias")
BIAS_FIRST = ("bias", "input", "weight")


@law
class Linear(Law):
    """Products of a signal with a weight that is a matrix, however they are written."""

    names = ("linear", "matmul", "mm", "spmm", "addmm")  # torch.mm goes by the name of its sparse twin

    def forward(self, call: Call) -> Moments:
        """Its moments."""
        source, weight, bias = self._operands(call)
        known = call.moments(source)
        fan_in = call.shapes[source.step][-1]
        out = weighted(known, call.parameter(weight), fan_in)
        out = replace(out, spread=known.spread + 2.0 * known.alike(call.positions, call.facts.samples) / call.units)
        return out if bias is None else shifted(out, call.bias(bias))

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """What comes back to the signal."""
        source, weight, _ = self._operands(call)
        return {source.step: gradient.scaled(call.step.shape[-1] * call.parameter(weight).second)}

    def _operands(self, call: Call) -> tuple[Signal, Held, Argument]:
        given = call.given(*(BIAS_FIRST if call.step.name == "addmm" else INPUT_FIRST))
        source, weight = given.get("input", given.get("mat1")), given.get("weight", given.get("mat2"))
        if isinstance(source, Held) and isinstance(weight, Signal):
            raise NoPredictionError("its weight stands on the left")
        if not isinstance(source, Signal) or not isinstance(weight, Held):
            raise NoPredictionError("it is a product of two signals")
        return source, weight, given.get("bias")
