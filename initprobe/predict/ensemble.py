"""The units of a recurrent layer, as mean-field theory sees them: alike but for their biases, which last for all time.

What drives a gate of a unit is a sum over many inputs: normal, with the variance n E w² E x². The part of it that two
steps of time have in common is a constant of the unit, and so is its bias; the rest is drawn anew at every step (Chen,
Pennington & Schoenholz 2018, arXiv 1806.05394; Gilboa et al. 2019, arXiv 1901.08987). Draws of the weights are kept
apart, in the first axis of every array; units are the second one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from initprobe.activations.base import Array
from initprobe.predict.batched import Bent, bent
from initprobe.predict.moments import Memory, Moments, NoPredictionError
from initprobe.records import PartTrace

FEWEST = 32
"""Units at least, so that constants of theirs can be told apart."""

DIGITS = 4
"""Digits of what drives a gate that are told apart: steps that are alike share their integrals."""

ERRORS = 5.0
"""Standard errors from which on the mean of a matrix, or of its diagonal, is told from 0."""


def _never() -> Array:
    return np.zeros((0, 1, 1))


class Drive(NamedTuple):
    """What arrives at every unit.

    Attributes:
        second: E x², shape (draws, 1).
        lasting: the part of it that all steps of one sample share, likewise.
        earlier: what it shares beyond that with each earlier step, the last one first, shape (steps, draws, 1).
    """

    second: Array
    lasting: Array
    earlier: Array = _never()


@dataclass(frozen=True, slots=True)
class State:
    """A hidden or a cell state.

    Attributes:
        mean, second: E s and E s² of every unit, shape (draws, units).
        earlier: covariance with the state of each earlier step, the last one first, shape (steps, draws, units).
    """

    mean: Array
    second: Array
    earlier: Array = field(default_factory=_never)

    @property
    def variance(self) -> Array:
        """Of every unit."""
        return np.maximum(self.second - self.mean**2, 0.0)

    def rescaled(self, factor: float) -> State:
        """In other units: second moments times ``factor``."""
        root = math.sqrt(factor)
        return State(self.mean * root, self.second * factor, self.earlier * root)

    @property
    def drive(self) -> Drive:
        """What it is to a matrix behind it."""
        lasting = (self.mean**2).mean(1, keepdims=True)
        return Drive(self.second.mean(1, keepdims=True), lasting, self.earlier.mean(2, keepdims=True))


@dataclass(frozen=True, slots=True)
class Matrix:
    """One gate's part of a weight, for all draws.

    Attributes:
        into: fan_in · E w², shape (draws, 1).
        back: fan_out · E w², likewise.
    """

    into: Array
    back: Array


@dataclass(frozen=True, eq=False)
class Ensemble:
    """A layer of one kind of cell, of one direction.

    Attributes:
        name: of its hidden matrix.
        kind: ``lstm``, ``gru``, ``rnn_tanh`` or ``rnn_relu``.
        inputs, hidden: each gate's matrix on the side of the input and of the hidden state.
        input_bias, hidden_bias: each gate's biases, shape (draws, units).
        chance: independent standard normal numbers, for each gate and side one per unit, shape (units,).
        units: how many there are in the network.
    """

    name: str
    kind: str
    inputs: Mapping[str, Matrix]
    hidden: Mapping[str, Matrix]
    input_bias: Mapping[str, Array]
    hidden_bias: Mapping[str, Array]
    chance: Mapping[tuple[str, str], Array]
    units: int
    known: dict[tuple[object, ...], Bent] = field(default_factory=dict, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Draws and units of every array."""
        bias = next(iter(self.input_bias.values()))
        return bias.shape[0], bias.shape[1]

    def gate(self, name: str, function: str, x: Drive, h: Drive) -> Bent:
        """Expectations of a gate that adds up its input, its hidden state and both biases."""
        x, h = _rounded(x), _rounded(h)
        key = (name, function, *(part.tobytes() for part in (*x[:2], *h[:2])))
        if key not in self.known:
            left, right = self.from_input(name, x), self.from_hidden(name, h)
            self.known[key] = bent(function, left[0] + right[0], left[1] + right[1])
        return self.known[key]

    def echo(self, name: str, x: Drive, h: Drive) -> tuple[Array, Array]:
        """What the input and the hidden state of earlier steps have in common with a gate's of this one.

        Covariances with each earlier step, shape (steps, draws, 1): those of both sides.
        """
        steps = max(len(x.earlier), len(h.earlier))
        return (
            reaching(self.inputs[name].into * x.earlier, steps),
            reaching(self.hidden[name].into * h.earlier, steps),
        )

    def from_input(self, name: str, x: Drive) -> tuple[Array, Array]:
        """What the input adds to a gate: a constant of each unit, and the variance around it."""
        return self._side(self.inputs[name], x, self.input_bias[name], self.chance[name, "input"])

    def from_hidden(self, name: str, h: Drive) -> tuple[Array, Array]:
        """Likewise the hidden state."""
        return self._side(self.hidden[name], h, self.hidden_bias[name], self.chance[name, "hidden"])

    def _side(self, matrix: Matrix, drive: Drive, bias: Array, chance: Array) -> tuple[Array, Array]:
        lasting = np.minimum(drive.lasting, drive.second)
        return bias + np.sqrt(matrix.into * lasting) * chance, matrix.into * (drive.second - lasting)

    def drive(self, known: Moments) -> Drive:
        """What a signal is to the layer."""
        whole = np.ones((self.shape[0], 1))
        lasting = min(max(known.position, 0.0), known.second)
        return Drive(known.second * whole, lasting * whole)

    def state(self, known: Moments) -> State:
        """A state of which nothing but its moments is known."""
        whole = np.ones(self.shape)
        lasting = min(max(known.position, known.mean**2, 0.0), known.second)
        return State(math.sqrt(lasting) * whole * math.copysign(1.0, known.mean), known.second * whole)


@dataclass(frozen=True, slots=True)
class Remembered(Memory):
    """The memory of a state that a step of a cell has made.

    Attributes:
        ensemble: the layer.
        state: what the next step is given.
        made: everything that the step has made, in the units in which it was made.
        call: what tells the step from others.
    """

    ensemble: Ensemble
    state: State
    made: object
    call: object

    def rescaled(self, factor: float) -> Remembered:
        """In other units."""
        return Remembered(self.ensemble, self.state.rescaled(factor), self.made, self.call)


def collected(values: Array) -> tuple[float, float]:
    """Second moments of all draws, shape (draws,) or (draws, ...), as the mean of a lognormal, and its variance.

    So that the typical draw is what their geometric mean is.
    """
    each = values.reshape(len(values), -1).mean(1)
    if not (each > 0.0).all():
        return float(each.mean()), 0.0
    logs = np.log(each)
    spread = float(logs.var())
    return float(math.exp(logs.mean() + 0.5 * spread)), spread


def reaching(values: Array, steps: int) -> Array:
    """Cut, or filled with zeros, to so many steps."""
    missing = max(0, steps - len(values))
    return np.concatenate([values[:steps], np.zeros((missing, *values.shape[1:]))])


def _rounded(drive: Drive) -> Drive:
    cut = np.vectorize(lambda one: float(f"{one:.{DIGITS}g}"), otypes=[float])
    return Drive(cut(drive.second), cut(drive.lasting))


@dataclass(frozen=True, slots=True)
class Packed:
    """The parameters of one layer and direction as they were measured: one mapping of gates per draw.

    Attributes:
        inputs, hidden: of both matrices.
        biases: of both biases; empty where the layer has none.
        features, units: fan-in of both sides.
    """

    inputs: Sequence[Mapping[str, PartTrace]]
    hidden: Sequence[Mapping[str, PartTrace]]
    biases: tuple[Sequence[Mapping[str, PartTrace]], ...]
    features: int
    units: int


def assemble(kind: str, gates: Sequence[str], packed: Packed, name: str) -> Ensemble:
    """The layer, from what was measured of it.

    Raises:
        NoPredictionError: its matrices are none of independent entries.
    """
    zeros = [{gate: PartTrace(0.0, 0.0, None, (0.0,)) for gate in gates}] * len(packed.inputs)
    biases = packed.biases if len(packed.biases) == 2 else (zeros, zeros)
    most = max(len(draw[gate].sample) for side in biases for draw in side for gate in gates)
    size = most * -(-FEWEST // most)
    pairs = [(gate, side) for gate in gates for side in ("input", "hidden")]
    return Ensemble(
        name=name,
        kind=kind,
        inputs={gate: _matrix(packed.inputs, gate, packed.features, packed.units) for gate in gates},
        hidden={gate: _matrix(packed.hidden, gate, packed.units, packed.units) for gate in gates},
        input_bias={gate: _biases(biases[0], gate, size) for gate in gates},
        hidden_bias={gate: _biases(biases[1], gate, size) for gate in gates},
        chance=dict(zip(pairs, _independent(len(pairs), size), strict=True)),
        units=packed.units,
    )


def _matrix(draws: Sequence[Mapping[str, PartTrace]], gate: str, fan_in: int, fan_out: int) -> Matrix:
    rms = math.sqrt(sum(draw[gate].rms ** 2 for draw in draws) / len(draws))
    known = [diagonal for draw in draws if (diagonal := draw[gate].diagonal) is not None]
    if known and abs(sum(known) / len(known)) > ERRORS * rms / math.sqrt(fan_in * len(known)):
        raise NoPredictionError("its matrix is no random one, but near to a multiple of the identity")
    if abs(sum(draw[gate].mean for draw in draws) / len(draws)) > ERRORS * rms / math.sqrt(
        fan_in * fan_out * len(draws)
    ):
        raise NoPredictionError("the weights of a gate have a mean: what it adds up is more than chance")
    second = np.array([[draw[gate].rms ** 2] for draw in draws])
    return Matrix(fan_in * second, fan_out * second)


def _biases(draws: Sequence[Mapping[str, PartTrace]], gate: str, size: int) -> Array:
    return np.array([np.resize(draw[gate].sample, size) for draw in draws])


def _independent(number: int, size: int) -> Array:
    """Rows of numbers that look normal, with mean 0, variance 1 and no correlation, shape (number, size)."""
    drawn = np.random.default_rng(0).standard_normal((size, number + 1))
    drawn[:, 0] = 1.0
    rows: Array = np.linalg.qr(drawn)[0][:, 1:].T * math.sqrt(size)
    return rows
