"""Recurrent layers over a whole sequence in one call: ``nn.LSTM``, ``nn.GRU`` and ``nn.RNN``.

The arithmetic of a step stands in ``predict/cells.py``, that of a stack of layers in ``predict/sequence.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from initprobe.activations.base import Array
from initprobe.predict.cells import CELLS
from initprobe.predict.ensemble import Drive, Ensemble, State, collected
from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.moments import Gradient, Moments, NoPredictionError
from initprobe.predict.sequence import Incoming, Run, Stack, back_through, outputs, run
from initprobe.predict.states import layer_of, shown
from initprobe.records import Argument, Signal


@dataclass(frozen=True, slots=True)
class Layout:
    """The arguments of a call.

    Attributes:
        source: the sequence.
        starts: the first states.
        weights: the parameters of every layer and direction.
        directions: 1 or 2.
        keep: the part that dropout keeps between layers.
        axis: of the sequence that counts steps.
        steps: their number.
    """

    source: Argument
    starts: tuple[Argument, ...]
    weights: tuple[tuple[Argument, ...], ...]
    directions: int
    keep: float
    axis: int
    steps: int


@law
class RecurrentSequence(Law):
    """``torch.lstm``, ``gru``, ``rnn_tanh`` and ``rnn_relu``: any number of layers, in one direction or in both."""

    names = tuple(CELLS)
    joint = True

    def forward(self, call: Call) -> Moments:
        """The output of the last layer at all steps, or the last states of all layers."""
        layout = _layout(call)
        stack = _stack(call, layout)
        if not call.step.place:
            return _output(stack)
        states = [one.steps[-1].states[call.step.place - 1] for layer in stack.layers for one in layer]
        whole = State(
            np.concatenate([one.mean for one in states], 1), np.concatenate([one.second for one in states], 1)
        )
        return replace(shown(whole, stack), parts=tuple(shown(one) for one in states))

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """To the sequence, and to the first states."""
        layout = _layout(call)
        stack = _stack(call, layout)
        going = back_through(stack, _incoming(call, layout, gradient))
        second, spread = collected(np.mean(going.inputs, axis=0))
        given = {}
        if isinstance(layout.source, Signal):
            given[layout.source.step] = Gradient(second, 0.0, spread)
        for place, start in enumerate(layout.starts):
            if isinstance(start, Signal):
                single = len(layout.starts) == 1
                parts = [one.seconds if single else _part(one.heard, one.kept, place) for one in going.starts]
                back = Gradient(collected(np.mean([part.mean(1) for part in parts], axis=0))[0])
                given[start.step] = back.plus(given.get(start.step))
        return given


def _part(heard: object, kept: object, place: int) -> Array:
    second: Array = getattr(kept if place else heard, "second")  # noqa: B009
    return second


def _layout(call: Call) -> Layout:
    arguments = call.step.args
    if len(arguments) < 9 or not isinstance(arguments[2], tuple) or not isinstance(arguments[0], Signal):
        raise NoPredictionError("its sequences are packed, each as long as it is")
    source, start, flat, biased, layers, dropout, training, both, first = arguments[:9]
    if not isinstance(flat, tuple) or not isinstance(layers, int) or not isinstance(dropout, (int, float)):
        raise NoPredictionError("nothing tells how its parameters lie")
    directions = 2 if both else 1
    size = len(flat) // (layers * directions)
    if size != (4 if biased else 2):
        raise NoPredictionError("it projects its hidden state to fewer numbers")
    axis = 1 if first else 0
    assert isinstance(source, Signal)
    return Layout(
        source=source,
        starts=start if isinstance(start, tuple) else (start,),
        weights=tuple(flat[place : place + size] for place in range(0, len(flat), size)),
        directions=directions,
        keep=1.0 - dropout if training and dropout < 1.0 else 1.0,
        axis=axis,
        steps=call.shapes[source.step][axis],
    )


def _stack(call: Call, layout: Layout) -> Stack:
    """What the call runs, which is run once for all of its outputs and for both ways."""
    for index in (call.step.index, call.step.index - call.step.place):
        known = call.states.get(index)
        if known is not None and isinstance(known.memory, Stack) and known.memory.call == call.step.args:
            return known.memory
    source = call.moments(layout.source)
    starts = tuple(call.moments(start) for start in layout.starts)
    layers: list[tuple[Run, ...]] = []
    for place in range(0, len(layout.weights), layout.directions):
        ensembles = [
            layer_of(call.step.name, weights, call.facts.gates)
            for weights in layout.weights[place : place + layout.directions]
        ]
        drives = outputs(layers[-1], layout.keep) if layers else [ensembles[0].drive(source)] * layout.steps
        layers.append(tuple(_run(layer, drives, starts, side) for side, layer in enumerate(ensembles)))
    return Stack(tuple(layers), layout.keep, call.step.args)


def _run(layer: Ensemble, drives: list[Drive], starts: tuple[Moments, ...], side: int) -> Run:
    return run(layer, drives, tuple(layer.state(start) for start in starts), backwards=bool(side))


def _output(stack: Stack) -> Moments:
    """Over all steps and both directions of the last layer."""
    hidden = [[step.states[0] for step in one.in_time] for one in stack.layers[-1]]
    second, spread = collected(np.mean([[state.second.mean(1) for state in side] for side in hidden], axis=(0, 1)))
    means = np.array([[state.mean for state in side] for side in hidden])
    pair, apart = float((means**2).mean()), max(1, len(hidden[0]) * (len(hidden[0]) - 1))
    both = float((means.sum(1) ** 2).mean() - (means**2).sum(1).mean()) / apart
    echo = sum(2.0 * float(state.earlier.mean((1, 2)).sum()) for side in hidden for state in side) / len(hidden)
    return Moments(second, both + echo / apart, pair, both, float(means.mean()), spread, memory=stack)


def _incoming(call: Call, layout: Layout, gradient: Gradient) -> Incoming:
    """The gradient of every output, laid out over steps, layers and directions."""
    hidden, cell = (_last_states(call.others.get(place), layout) for place in (1, 2))
    stepped = [(index % layout.steps, second) for axis, index, second in gradient.parts if axis == layout.axis]
    rest = max(0.0, gradient.second - sum(second for _, second in stepped))
    rest = rest if rest > 1e-9 * gradient.second else 0.0
    ends = {0, layout.steps - 1}
    split = layout.directions == 2 and layout.steps > 1 and {index for index, _ in stepped} == ends
    sides = []
    for side in range(layout.directions):
        seconds = np.full(layout.steps, rest)
        for index, second in stepped:
            # Each direction is read where it has seen everything, if both ends are.
            if not split:
                seconds[index] += second * layout.steps
            elif index == (0 if side else layout.steps - 1):
                seconds[index] += 2.0 * second * layout.steps
        common = np.full((layout.steps, 1, 1), max(0.0, gradient.position) if rest else 0.0)
        sides.append(
            tuple(
                Drive(np.array([[one]]), np.zeros((1, 1)), common[: layout.steps - 1 - place])
                for place, one in enumerate(seconds)
            )
        )
    return Incoming(tuple(sides), hidden, cell)


def _last_states(gradient: Gradient | None, layout: Layout) -> dict[tuple[int, int], float]:
    """Second moments of the gradient of each layer's and direction's last state."""
    if gradient is None:
        return {}
    number = len(layout.weights)
    chosen = [(index % number, second) for axis, index, second in gradient.parts if axis == 0]
    rest = max(0.0, gradient.second - sum(second for _, second in chosen))
    found = {divmod(place, layout.directions): rest for place in range(number)}
    for index, second in chosen:
        found[divmod(index, layout.directions)] += second * number
    return found
