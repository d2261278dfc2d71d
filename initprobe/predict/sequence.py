"""A stack of recurrent layers over a whole sequence: forward step by step, and back through time and layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from initprobe.activations.base import Array
from initprobe.predict.cells import CELLS, Advanced
from initprobe.predict.ensemble import Drive, Ensemble, State, reaching
from initprobe.predict.moments import Memory
from initprobe.predict.through_time import Adjoint, arrived, from_outside, gathered, hand_back

STEADY = 1e-6
"""Relative change from one step to the next below which all further steps are alike."""

FORGOTTEN = 1e-20
"""Of the largest gradient of the input, below which that of earlier steps adds nothing to their mean."""


@dataclass(frozen=True, slots=True)
class Run:
    """One layer in one direction.

    Attributes:
        layer: its ensemble.
        steps: every step, in the order in which it was made.
        backwards: whether that is from the end of the sequence.
    """

    layer: Ensemble
    steps: tuple[Advanced, ...]
    backwards: bool

    @property
    def in_time(self) -> tuple[Advanced, ...]:
        """The steps in the order of the sequence."""
        return self.steps[::-1] if self.backwards else self.steps


@dataclass(frozen=True, slots=True)
class Stack(Memory):
    """Everything that one call has run.

    Attributes:
        layers: the directions of every layer.
        keep: what dropout keeps between layers.
        call: what tells the call from others.
    """

    layers: tuple[tuple[Run, ...], ...]
    keep: float
    call: object

    def rescaled(self, factor: float) -> Stack:
        """The same: what was run does not depend on what is made of it."""
        del factor
        return self


def run(layer: Ensemble, drives: Sequence[Drive], start: tuple[State, ...], *, backwards: bool) -> Run:
    """Run one layer in one direction.

    Args:
        layer: its ensemble.
        drives: its input at every step, in the order of the sequence.
        start: the states before the first step that it makes.
        backwards: whether it begins at the end.
    """
    cell, states = CELLS[layer.kind], start
    steps: list[Advanced] = []
    ordered = turned(drives) if backwards else list(drives)
    for place, drive in enumerate(ordered):
        if place > 1 and _steady(steps, ordered[place - 1], drive):
            steps.append(steps[-1])
            continue
        steps.append(cell(layer, drive, states))
        states = steps[-1].states
    return Run(layer, tuple(steps), backwards=backwards)


def _steady(steps: Sequence[Advanced], last: Drive, drive: Drive) -> bool:
    if not all(np.allclose(one, two, STEADY, 0.0) for one, two in zip(last[:2], drive[:2], strict=True)):
        return False
    pairs = zip(steps[-1].states, steps[-2].states, strict=True)
    return all(np.allclose(new.second, old.second, STEADY, 0.0) for new, old in pairs)


def outputs(runs: Sequence[Run], keep: float = 1.0) -> list[Drive]:
    """What a layer is to the next one, at every step of the sequence.

    Args:
        runs: its directions, which lie side by side.
        keep: the part that dropout keeps.
    """
    ordered = []
    for one in runs:
        drives = [step.states[0].drive for step in one.steps]
        ordered.append(turned(drives) if one.backwards else drives)
    found = []
    for sides in zip(*ordered, strict=True):
        steps = min(len(side.earlier) for side in sides)
        second = np.mean([side.second for side in sides], axis=0) / keep
        lasting = np.mean([side.lasting for side in sides], axis=0)
        found.append(Drive(second, lasting, np.mean([side.earlier[:steps] for side in sides], axis=0)))
    return found


def turned(drives: Sequence[Drive]) -> list[Drive]:
    """From the end to the beginning: what was later is earlier then."""
    found = []
    for place in range(len(drives) - 1, -1, -1):
        later = []
        for lag, other in enumerate(drives[place + 1 :]):
            if lag >= len(other.earlier):
                break
            later.append(other.earlier[lag])
        earlier = np.array(later) if later else np.zeros((0, *drives[place].second.shape))
        found.append(Drive(drives[place].second, drives[place].lasting, earlier))
    return found


@dataclass(frozen=True, slots=True)
class Incoming:
    """The gradient that reaches a stack.

    Attributes:
        outputs: of the last layer's output, for each direction one per step of the sequence, with what it has in common
            with the gradient of each *later* step.
        hidden, cell: second moments of those of the last states, by layer and direction.
    """

    outputs: tuple[tuple[Drive, ...], ...]
    hidden: Mapping[tuple[int, int], float] = field(default_factory=dict)
    cell: Mapping[tuple[int, int], float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """The gradient that leaves it: of the input, shape (draws, 1) per step, and of the first states."""

    inputs: tuple[Array, ...]
    starts: tuple[Adjoint, ...]


def back_through(stack: Stack, incoming: Incoming) -> Outgoing:
    """From the gradient of what a stack puts out to that of what it was given."""
    starts: list[Adjoint] = []
    outputs_of = incoming.outputs
    for depth in range(len(stack.layers) - 1, -1, -1):
        sides = []
        for side, one in enumerate(stack.layers[depth]):
            ends = incoming.hidden.get((depth, side), 0.0), incoming.cell.get((depth, side), 0.0)
            inputs, start = _back(one, outputs_of[side], ends)
            sides.append(inputs)
            starts.append(start)
        whole = tuple(_sum(parts, stack.keep if depth else 1.0) for parts in zip(*sides, strict=True))
        outputs_of = (whole,) * len(stack.layers[depth - 1])
    return Outgoing(tuple(one.second for one in outputs_of[0]), tuple(starts))


def _sum(parts: Sequence[Drive], keep: float) -> Drive:
    """Of independent gradients that come to one input, behind dropout; what two steps share is dropped apart."""
    steps = max(len(part.earlier) for part in parts)
    earlier = np.sum([reaching(part.earlier, steps) for part in parts], axis=0)
    second: Array = np.sum([part.second for part in parts], axis=0)
    return Drive(second / keep, np.zeros_like(second), earlier)


def _back(one: Run, output: Sequence[Drive], ends: tuple[float, float]) -> tuple[list[Drive], Adjoint]:
    """The gradient of the input at every step of the sequence, and that of the first states."""
    # Later steps of the run are earlier ones of the sequence, where it runs backwards.
    ordered = turned(output[::-1])[::-1] if one.backwards else list(output)
    before: Adjoint | None = None
    inputs: list[Drive] = []
    for place in range(len(one.steps) - 1, -1, -1):
        step, at_end = one.steps[place], before is None
        given = ordered[place]
        arriving = arrived(one.layer.shape, before, before)
        here = from_outside(
            arriving,
            given.second + (ends[0] if at_end else 0.0),
            reaching(given.earlier, len(arriving.trail)),
            ends[1] if at_end else 0.0,
        )
        back = hand_back(here, gathered(here, step.slopes.emit), step.slopes)
        before = back.before
        inputs.append(Drive(back.inputs, np.zeros_like(back.inputs), back.inputs_later))
        if _is_over(inputs, ordered[:place]):
            nothing = np.zeros_like(back.inputs)
            inputs += [Drive(nothing, nothing)] * place
            before = before.rescaled(0.0)
            break
    assert before is not None
    return (turned(inputs)[::-1] if one.backwards else inputs[::-1]), before


def _is_over(inputs: Sequence[Drive], rest: Sequence[Drive]) -> bool:
    largest = max(float(one.second.max()) for one in inputs)
    return float(inputs[-1].second.max()) < FORGOTTEN * largest and not any(one.second.any() for one in rest)
