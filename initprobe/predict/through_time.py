"""Gradients back through time, with the same matrices at every step.

A gradient goes from state to state past the matrices, or through one of them. Ways that go through as many matrices
pass the same ones in the same order, whenever they do, so that they add up: after k steps that keep d and pass on a
random part of variance s², Σ_j C(k, j)² d^2(k-j) s^2j is left, which grows like (d + s)^2k and not like (d² + s²)^k.
What two steps of time have in common is followed therefore, as dynamic mean-field theory does it (Crisanti &
Sompolinsky 2018, arXiv 1809.06042): what comes out of a matrix is Gaussian, and the same in law for every unit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from initprobe.activations.base import Array
from initprobe.predict.cells import Factor, Slopes
from initprobe.predict.ensemble import collected
from initprobe.predict.moments import Memory

WINDOW = 128
"""Later steps whose gradients are remembered together with that of one step."""


@dataclass(frozen=True, slots=True)
class Trail:
    """The lasting slopes of the later steps, the next one first.

    Attributes:
        keep, emit: of the state, shape (steps, draws, units).
        inputs, hidden: of every branch, before each of its matrices, shape (branches, steps, draws, units).
        excess: of every branch, with what the same step keeps, likewise.
        echoes: of every step and branch, what such a slope has in common with those of the steps before it.
    """

    keep: Array
    emit: Array
    inputs: Array
    hidden: Array
    excess: Array
    echoes: tuple[tuple[Array, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.keep)

    def behind(self, slopes: Slopes) -> Trail:
        """With one more step in front."""
        ways = slopes.branches
        return Trail(
            np.concatenate([slopes.keep.mean[None], self.keep])[:WINDOW],
            np.concatenate([slopes.emit.mean[None], self.emit])[:WINDOW],
            self._with([way.to_input.mean for way in ways], self.inputs),
            self._with([way.to_hidden.mean for way in ways], self.hidden),
            self._with([way.excess for way in ways], self.excess),
            (tuple(way.echo for way in ways), *self.echoes)[:WINDOW],
        )

    def _with(self, front: Sequence[Array], known: Array) -> Array:
        first = np.stack(front)[:, None]
        return np.concatenate([first, known], 1)[:, :WINDOW] if len(self) else first

    def echo(self, branch: int) -> Array:
        """What a branch's slope of the step in front has in common with that of each later step, (steps, draws, 1)."""
        rows = [ways[branch] for ways in self.echoes]
        nothing = np.zeros((self.keep.shape[1], 1))
        return np.array([row[lag] if lag < len(row) else nothing for lag, row in enumerate(rows)])


def _nowhere(shape: tuple[int, int]) -> Trail:
    empty, none = np.zeros((0, *shape)), np.zeros((0, 0, *shape))
    return Trail(empty, empty, none, none, none)


@dataclass(frozen=True, slots=True)
class Along(Memory):
    """A gradient of one step, and what it shares with those of the later steps.

    Attributes:
        second: E d², shape (draws, units).
        along: E d g of it and the gradient g of the state at each later step, shape (steps, draws, units).
        through: the part of that which came past the later step itself, likewise.
    """

    second: Array
    along: Array
    through: Array

    def rescaled(self, factor: float) -> Self:
        """In other units."""
        root = math.sqrt(factor)
        return replace(self, second=self.second * factor, along=self.along * root, through=self.through * root)


@dataclass(frozen=True, slots=True)
class Kept(Along):
    """The gradient that came past the matrices."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The gradient that came out of matrices, and from outside of the layer.

    Attributes:
        second: E y², shape (draws, 1).
        later: E y y' of it and the same at each later step, shape (steps, draws, 1).
        along: E y g of it and the gradient of the state at each later step, shape (steps, draws, units).
    """

    second: Array
    later: Array
    along: Array

    def rescaled(self, factor: float) -> Heard:
        """In other units."""
        root = math.sqrt(factor)
        return Heard(self.second * factor, self.later * root, self.along * root)


@dataclass(frozen=True, slots=True)
class Adjoint(Memory):
    """The gradient of a state: of the cell state what was kept, of the hidden state what was heard, or both.

    Attributes:
        kept, heard: its parts.
        trail: the later steps.
    """

    kept: Kept | None
    heard: Heard | None
    trail: Trail

    def rescaled(self, factor: float) -> Adjoint:
        """In other units."""
        kept = None if self.kept is None else self.kept.rescaled(factor)
        heard = None if self.heard is None else self.heard.rescaled(factor)
        return Adjoint(kept, heard, self.trail)

    @property
    def seconds(self) -> Array:
        """Its second moment, shape (draws, units)."""
        if self.kept is None or self.heard is None:
            part = self.kept or self.heard
            assert part is not None
            return part.second
        return self.kept.second + self.heard.second + 2.0 * _meeting(self.heard, self.trail)

    @property
    def second(self) -> float:
        """Its second moment, over draws and units."""
        return collected(self.seconds)[0]


@dataclass(frozen=True, slots=True)
class Arrived:
    """All that came to the states of one step.

    Attributes:
        kept, heard: its parts; what comes from outside of the layer is heard.
        trail: the later steps.
    """

    kept: Kept
    heard: Heard
    trail: Trail


def arrived(shape: tuple[int, int], state: Adjoint | None, output: Adjoint | None) -> Arrived:
    """Put together what came to the state and to the output of one step.

    Args:
        shape: draws and units.
        state: the gradient of what is kept.
        output: the gradient of the output; of a cell with one state the same object, or None.
    """
    trail = max((one.trail for one in (state, output) if one is not None), key=len, default=_nowhere(shape))
    steps = len(trail)
    kept = None if state is None else state.kept
    heard = None if output is None else output.heard
    draws = shape[0]
    return Arrived(
        kept or Kept(np.zeros(shape), *[np.zeros((steps, *shape))] * 2),
        heard or Heard(np.zeros((draws, 1)), np.zeros((steps, draws, 1)), np.zeros((steps, *shape))),
        trail,
    )


def from_outside(
    here: Arrived, output: Array | float, common: Array | float = 0.0, state: Array | float = 0.0
) -> Arrived:
    """What other layers, or the objective, add to it.

    Args:
        here: what came from later steps.
        output: second moment of what is added to the gradient of the output, a number or shape (draws, 1).
        common: what that has in common with what was added at a later step, a number or shape (steps, draws, 1).
        state: second moment of what is added to the gradient of the state.
    """
    kept, heard = replace(here.kept, second=here.kept.second + state), here.heard
    later = heard.later + common
    along = _along(later, here.trail) if np.any(common) else heard.along
    return Arrived(kept, Heard(heard.second + output, later, along), here.trail)


@dataclass(frozen=True, slots=True)
class Whole(Along):
    """The gradient of a state, with what its output tells it."""


def gathered(here: Arrived, emit: Factor) -> Whole:
    """Add to what was kept of a state's gradient what is heard at its output.

    Args:
        here: all that came to the step.
        emit: from the output to the state.
    """
    second = here.kept.second + emit.second * here.heard.second + 2.0 * emit.mean * _meeting(here.heard, here.trail)
    return Whole(np.maximum(second, 0.0), here.kept.along + emit.mean * here.heard.along, here.kept.through)


@dataclass(frozen=True, slots=True)
class Returned:
    """What one step hands back.

    Attributes:
        before: the gradient of the states before it.
        inputs: second moment of the gradient of its input, shape (draws, 1).
        inputs_later: what that has in common with the gradient of each later input, shape (steps, draws, 1).
    """

    before: Adjoint
    inputs: Array
    inputs_later: Array


def hand_back(here: Arrived, whole: Whole, slopes: Slopes) -> Returned:
    """One step back in time.

    Args:
        here: all that came to the step.
        whole: the gradient of its state.
        slopes: of the step.
    """
    trail = here.trail.behind(slopes)
    kept = Kept(
        slopes.keep.second * whole.second,
        slopes.keep.mean * np.concatenate([whole.second[None], whole.along])[:WINDOW],
        slopes.keep.mean * np.concatenate([whole.second[None], whole.through])[:WINDOW],
    )
    through, inputs = _through(slopes, whole.second, here.heard)
    later, inputs_later = _later(slopes, here, whole)
    later = np.concatenate([later, np.zeros((1, *through.shape))])[:WINDOW]
    return Returned(Adjoint(kept, Heard(through, later, _along(later, trail)), trail), inputs, inputs_later)


def _through(slopes: Slopes, second: Array, heard: Heard) -> tuple[Array, Array]:
    """Second moments behind the matrices: at the hidden state, and at the input; shape (draws, 1)."""
    hidden, inputs = np.zeros((len(second), 1)), np.zeros((len(second), 1))
    for way in slopes.branches:
        gradient = heard.second if way.of_output else second
        hidden += way.hidden.back * (way.to_hidden.second * gradient).mean(1, keepdims=True)
        inputs += way.inputs.back * (way.to_input.second * gradient).mean(1, keepdims=True)
    return hidden, inputs


def _later(slopes: Slopes, here: Arrived, whole: Whole) -> tuple[Array, Array]:
    """E y y' behind the matrices, of this step and of each later one: at hidden state and input, (steps, draws, 1)."""
    hidden, inputs = np.zeros_like(here.heard.later), np.zeros_like(here.heard.later)
    if not len(here.trail):
        return hidden, inputs
    for place, way in enumerate(slopes.branches):
        shared = here.heard.later if way.of_output else whole.along + here.trail.excess[place] * whole.through
        echo = here.trail.echo(place) * shared.mean(2, keepdims=True)
        told, heard = way.to_input.mean * here.trail.inputs[place], way.to_hidden.mean * here.trail.hidden[place]
        inputs += way.inputs.back * ((told * shared).mean(2, keepdims=True) + echo)
        hidden += way.hidden.back * ((heard * shared).mean(2, keepdims=True) + echo)
    return hidden, inputs


def _along(later: Array, trail: Trail) -> Array:
    """E y g, from E y y': the state's gradient is what it hears, and what it keeps of that at the step behind."""
    found = trail.emit * later
    for step in range(len(trail) - 2, -1, -1):
        found[step] += trail.keep[step + 1] * found[step + 1]
    return found


def _meeting(heard: Heard, trail: Trail) -> Array | float:
    """E d y: what is kept of the gradient at the next step, together with what is heard at this one."""
    return trail.keep[0] * heard.along[0] if len(trail) else 0.0


def collected_gradient(values: Sequence[Array]) -> tuple[float, float]:
    """Mean over steps of second moments, each of shape (draws, ...), and the variance of its logarithm over draws."""
    return collected(np.mean([value.reshape(len(value), -1).mean(1) for value in values], axis=0))
