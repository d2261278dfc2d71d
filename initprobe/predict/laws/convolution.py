"""Convolutions, transposed ones too: a dense layer at every position (Xiao et al. 2018, arXiv 1806.05393, eq. 2.4).

Taps that fall on zero padding add nothing: fan_in counts those inside, averaged over positions.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from initprobe.predict.convolution import joined
from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.moments import Gradient, Moments, NoPredictionError
from initprobe.predict.sums import shifted, weighted
from initprobe.records import Argument, Held, Signal

PLAIN = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
TRANSPOSED = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a convolution reaches from inputs to outputs.

    Attributes:
        source: the step that it reads.
        weight, bias: its parameters.
        channels_in, channels_out: that one output sums over, and that one input feeds.
        taps: pairs of an input position and an output position that a weight joins.
        twins: pairs of such pairs that one weight joins, at two input and two output positions.
        inputs, outputs: positions.
    """

    source: int
    weight: Held
    bias: Argument
    channels_in: int
    channels_out: int
    taps: float
    twins: float
    inputs: float
    outputs: float

    def apart(self, positions: float) -> float:
        """How many taps two of so many positions have in common, for each tap of one.

        Near an edge, or with a stride, a weight joins some positions only.
        """
        return self.twins * positions / (self.taps * positions * (positions - 1.0)) if positions > 1.0 else 1.0


@law
class Convolution(Law):
    """Plain and transposed convolutions in one to three dimensions, with groups, stride, dilation and padding."""

    names = tuple(f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3))

    def forward(self, call: Call) -> Moments:
        """Its moments, averaged over the positions of its output."""
        shape = geometry(call)
        known = call.moments(Signal(shape.source))
        out = weighted(known, call.parameter(shape.weight), shape.channels_in * shape.taps / shape.outputs)
        noise = 2.0 * known.alike(call.positions, call.facts.samples) / call.units
        apart = shape.apart(shape.outputs)
        out = replace(out, position=out.position * apart, both=out.both * apart, spread=known.spread + noise)
        return out if shape.bias is None else shifted(out, call.bias(shape.bias))

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """What comes back to its input; with a stride, to some positions of it only."""
        shape = geometry(call)
        factor = shape.channels_out * shape.taps / shape.inputs * call.parameter(shape.weight).second
        return {shape.source: gradient.scaled(factor, shape.apart(shape.inputs))}


def geometry(call: Call) -> Geometry:
    """What a convolution joins with what.

    Raises:
        NoPredictionError: it is no product of a signal and a parameter.
    """
    transposed = "transpose" in call.step.name
    given = call.given(*(TRANSPOSED if transposed else PLAIN))
    source, weight = given.get("input"), given.get("weight")
    if not isinstance(source, Signal) or not isinstance(weight, Held):
        raise NoPredictionError("it is a convolution of two signals")
    rank = len(weight.shape) - 2
    kernel, groups = weight.shape[2:], _number(given.get("groups"), 1)
    before, behind = call.shapes[source.step][-rank:], call.step.shape[-rank:]
    stride, dilation = _each(given.get("stride"), 1, rank), _each(given.get("dilation"), 1, rank)
    # A transposed convolution is the plain one read from its output to its input.
    wide, narrow = (behind, before) if transposed else (before, behind)
    padding = _padding(given.get("padding"), kernel, dilation)
    counts = [joined(wide[n], narrow[n], kernel[n], stride[n], padding[n], dilation[n]) for n in range(rank)]
    taps, twins = _joints(counts, call.parameter(weight).taps)
    rows, columns = weight.shape[0], weight.shape[1]
    channels = (rows // groups, columns) if transposed else (columns, rows // groups)
    return Geometry(
        source=source.step,
        weight=weight,
        bias=given.get("bias"),
        channels_in=channels[0],
        channels_out=channels[1],
        taps=taps,
        twins=twins,
        inputs=math.prod(before),
        outputs=math.prod(behind),
    )


def _joints(counts: Sequence[Sequence[int]], shares: tuple[float, ...]) -> tuple[float, float]:
    """Pairs of positions that taps join, and pairs of those pairs; each tap counts by its share of the weights."""
    joins = [math.prod(axes) for axes in itertools.product(*counts)]
    likely = [share * len(joins) for share in shares] if len(shares) == len(joins) else [1.0] * len(joins)
    taps = math.fsum(part * join for part, join in zip(likely, joins, strict=True))
    return taps, math.fsum(part * join * (join - 1) for part, join in zip(likely, joins, strict=True))


def _padding(given: Argument, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[int, ...]:
    if given == "same":
        return tuple(gap * (size - 1) // 2 for size, gap in zip(kernel, dilation, strict=True))
    if given == "valid":
        return (0,) * len(kernel)
    return _each(given, 0, len(kernel))


def _each(given: Argument, default: int, rank: int) -> tuple[int, ...]:
    """One number per axis, from one number for all or one for each."""
    if isinstance(given, tuple):
        return tuple(_number(one, default) for one in (given * rank if len(given) == 1 else given))
    return (_number(given, default),) * rank


def _number(given: Argument, default: int) -> int:
    return int(given) if isinstance(given, (int, float)) else default
