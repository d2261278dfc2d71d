"""One step of torch's recurrent cells: what becomes of the states of every unit, and how gradients go through it.

Weights, input and hidden state are independent, and so are the gates of one unit given what lasts of it (its biases).
Every cell is cut into the same three ways of a gradient, so that one calculus takes all of them back through time: what
is kept from state to state, what the output tells the state, and what gates hear, through their matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from initprobe.activations.base import Array
from initprobe.predict.batched import Bent, bent
from initprobe.predict.ensemble import Drive, Ensemble, Matrix, State, reaching

WINDOW = 128
"""Steps of the past that a state is compared with."""

TINY = 1e-12

GATES: Mapping[str, tuple[str, ...]] = {
    "lstm": ("input_gate", "forget_gate", "cell_gate", "output_gate"),
    "gru": ("reset_gate", "update_gate", "new_gate"),
    "rnn_tanh": ("",),
    "rnn_relu": ("",),
}
"""Names of the gates in the order of their rows; a plain cell has one matrix without a name."""


class Factor(NamedTuple):
    """A random factor: its mean, which lasts from step to step, and its second moment; shape (draws, units)."""

    mean: Array
    second: Array

    def times(self, other: Factor) -> Factor:
        """The product of two independent factors."""
        return Factor(self.mean * other.mean, self.second * other.second)


@dataclass(frozen=True, slots=True)
class Branch:
    """The way of a gradient through one gate.

    Attributes:
        inputs, hidden: the gate's matrices.
        to_input, to_hidden: what the gradient is multiplied with before each of them.
        echo: covariance of ``to_hidden`` with that of each earlier step, over units, shape (steps, draws, 1).
        excess: how much more of it there is, relatively, together with what the same step keeps, shape (draws, units).
        of_output: whether it is the gradient of the output alone, and not that of the state.
    """

    inputs: Matrix
    hidden: Matrix
    to_input: Factor
    to_hidden: Factor
    echo: Array
    excess: Array
    of_output: bool = False


@dataclass(frozen=True, slots=True)
class Slopes:
    """How one step hands gradients back.

    Attributes:
        keep: from a state to the one before it, past all matrices.
        emit: from the output to the state.
        branches: through the gates.
    """

    keep: Factor
    emit: Factor
    branches: tuple[Branch, ...]


class Advanced(NamedTuple):
    """One step: the states that it puts out (hidden first) and its slopes."""

    states: tuple[State, ...]
    slopes: Slopes


Cell = Callable[[Ensemble, Drive, tuple[State, ...]], Advanced]


def lstm(layer: Ensemble, x: Drive, before: tuple[State, ...]) -> Advanced:
    """LSTM: c' = f c + i g, h' = o tanh(c') (Hochreiter & Schmidhuber 1997; Gers et al. 2000 for f)."""
    hidden, cell = before
    h = hidden.drive
    enter, forget = layer.gate("input_gate", "sigmoid", x, h), layer.gate("forget_gate", "sigmoid", x, h)
    content, leave = layer.gate("cell_gate", "tanh", x, h), layer.gate("output_gate", "sigmoid", x, h)
    added = enter.mean * content.mean
    entered, said = enter.echo(_heard(layer, "input_gate", x, h)), content.echo(_heard(layer, "cell_gate", x, h))
    echo = entered * said - added**2
    along = _along(echo, forget.mean)
    mean = forget.mean * cell.mean + added
    crossed = cell.mean * added + _first(along)
    second = forget.second * cell.second + enter.second * content.second + 2.0 * forget.mean * crossed
    inside = State(mean, second, _earlier(forget.mean, cell, along))
    squashed = bent("tanh", mean, inside.variance)
    shown = leave.mean * squashed.mean
    held = squashed.echo(inside.earlier)
    both = leave.echo(reaching(_heard(layer, "output_gate", x, h), len(inside.earlier))) * held
    after = State(shown, leave.second * squashed.second, both - shown**2), inside
    echoes = {
        "input_gate": enter.slope**2 * (said - content.mean**2),
        "forget_gate": forget.slope**2 * cell.earlier,
        "cell_gate": content.slope**2 * (entered - enter.mean**2),
        "output_gate": leave.slope**2 * (held - squashed.mean**2),
    }
    ways = {
        "input_gate": Factor(content.mean * enter.slope, content.second * enter.slope_second),
        "forget_gate": Factor(cell.mean * forget.slope, cell.second * forget.slope_second),
        "cell_gate": Factor(enter.mean * content.slope, enter.second * content.slope_second),
        "output_gate": Factor(squashed.mean * leave.slope, squashed.second * leave.slope_second),
    }
    nothing = np.zeros_like(mean)
    branches = tuple(
        Branch(layer.inputs[gate], layer.hidden[gate], way, way, _pooled(echoes[gate]), nothing, gate == "output_gate")
        for gate, way in ways.items()
    )
    emit = Factor(leave.mean * squashed.slope, leave.second * squashed.slope_second)
    return Advanced(after, Slopes(Factor(forget.mean, forget.second), emit, branches))


class _New(NamedTuple):
    """What a GRU would put in the place of its state.

    Attributes:
        content: its new gate.
        echo: E n n' of it and of each earlier one, shape (steps, draws, units).
        heard: what the hidden matrix of the new gate sends, before the reset gate.
        heard_echo: covariance of that with what it sent at each earlier step, shape (steps, draws, 1).
    """

    content: Bent
    echo: Array
    heard: Factor
    heard_echo: Array


def gru(layer: Ensemble, x: Drive, before: tuple[State, ...]) -> Advanced:
    """GRU: h' = (1 - u) n + u h, n = tanh(W x + r (U h + b)): Cho et al. 2014, with torch's order of r and U."""
    (hidden,) = before
    h = hidden.drive
    reset, update = layer.gate("reset_gate", "sigmoid", x, h), layer.gate("update_gate", "sigmoid", x, h)
    new = _new(layer, reset, x, h)
    content, part = new.content, 1.0 - update.mean
    shut_echo = update.echo(_heard(layer, "update_gate", x, h)) + part**2 - update.mean**2
    along = _along(shut_echo * new.echo - (part * content.mean) ** 2, update.mean)
    mean = part * content.mean + update.mean * hidden.mean
    met = content.mean * hidden.mean + _first(along) / np.maximum(part, TINY)
    kept = update.second * hidden.second + 2.0 * (update.mean - update.second) * met
    second = (1.0 - 2.0 * update.mean + update.second) * content.second + kept
    apart = Factor(hidden.mean - content.mean, hidden.second - 2.0 * met + content.second)
    slopes = Slopes(
        Factor(update.mean, update.second), _one(hidden), _gru_branches(layer, (reset, update), new, apart, hidden)
    )
    return Advanced((State(mean, second, _earlier(update.mean, hidden, along)),), slopes)


def _new(layer: Ensemble, reset: Bent, x: Drive, h: Drive) -> _New:
    (own, own_variance), (heard, heard_variance) = layer.from_input("new_gate", x), layer.from_hidden("new_gate", h)
    variance = own_variance + reset.second * heard_variance + (reset.second - reset.mean**2) * heard**2
    content = bent("tanh", own + reset.mean * heard, variance)
    entered, heard_echo = layer.echo("new_gate", x, h)
    echo = content.echo(entered + reset.mean**2 * heard_echo)
    return _New(content, echo, Factor(heard, heard**2 + heard_variance), heard_echo)


def _gru_branches(
    layer: Ensemble, gates: tuple[Bent, Bent], new: _New, apart: Factor, hidden: State
) -> tuple[Branch, ...]:
    reset, update = gates
    part, half_open = 1.0 - update.mean, update.mean - update.second
    renewed = Factor(part * new.content.slope, (1.0 - 2.0 * update.mean + update.second) * new.content.slope_second)
    opened = renewed.times(new.heard).times(Factor(reset.slope, reset.slope_second))
    shut = apart.times(Factor(update.slope, update.slope_second))
    gap = hidden.earlier + reaching(new.echo - new.content.mean**2, len(hidden.earlier))
    # A gate that keeps a state lets nothing new in: E u (1 - u) is less than E u times E (1 - u).
    less = half_open / np.maximum(update.mean * part, TINY) - 1.0
    inputs, matrices, never = layer.inputs, layer.hidden, np.zeros((0, *part.shape))
    echoes = _pooled((renewed.mean * reset.slope) ** 2 * new.heard_echo), _pooled(update.slope**2 * gap), _pooled(never)
    said = renewed.times(Factor(reset.mean, reset.second))
    return (
        Branch(inputs["reset_gate"], matrices["reset_gate"], opened, opened, echoes[0], less),
        Branch(inputs["update_gate"], matrices["update_gate"], shut, shut, echoes[1], np.zeros_like(part)),
        Branch(inputs["new_gate"], matrices["new_gate"], renewed, said, echoes[2], less),
    )


def plain(layer: Ensemble, x: Drive, before: tuple[State, ...]) -> Advanced:
    """Plain: h' = f(W x + U h + b): Elman 1990."""
    (hidden,) = before
    out = layer.gate("", layer.kind.removeprefix("rnn_"), x, hidden.drive)
    way = Factor(out.slope, out.slope_second)
    nothing = np.zeros_like(hidden.mean)
    branch = Branch(layer.inputs[""], layer.hidden[""], way, way, _pooled(np.zeros((0, *nothing.shape))), nothing)
    slopes = Slopes(Factor(nothing, nothing), _one(hidden), (branch,))
    echo = out.echo(_heard(layer, "", x, hidden.drive)) - out.mean**2
    earlier = reaching(echo, max(len(echo), len(hidden.earlier) + 1))[:WINDOW]
    return Advanced((State(out.mean, out.second, earlier),), slopes)


def _heard(layer: Ensemble, gate: str, x: Drive, h: Drive) -> Array:
    """Covariance of what drives a gate with what drove it at each earlier step, shape (steps, draws, 1)."""
    inputs, hidden = layer.echo(gate, x, h)
    return inputs + hidden


def _along(echo: Array, keep: Array) -> Array:
    """Covariance of what is added to a state with each earlier state, from that with what was added to it."""
    found = np.array(np.broadcast_to(echo, (len(echo), *keep.shape)))
    for step in range(len(found) - 2, -1, -1):
        found[step] += keep * found[step + 1]
    return found


def _pooled(echo: Array) -> Array:
    """Over units: one by one they would fill the memory."""
    pooled: Array = echo.mean(2, keepdims=True)
    return pooled


def _first(along: Array) -> Array | float:
    return along[0] if len(along) else 0.0


def _earlier(keep: Array, before: State, along: Array) -> Array:
    """Covariances of a state that keeps a part of the one before, shape (steps, draws, units)."""
    known = np.broadcast_to(before.earlier, (len(before.earlier), *before.mean.shape))
    kept: Array = keep * np.concatenate([before.variance[None], known])[:WINDOW]
    return kept + reaching(along, len(kept))


def _one(like: State) -> Factor:
    ones = np.ones_like(like.mean)
    return Factor(ones, ones)


CELLS: Mapping[str, Cell] = {"lstm": lstm, "gru": gru, "rnn_tanh": plain, "rnn_relu": plain}
