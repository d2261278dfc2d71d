"""The traced pass as data: every operation on a signal, what it was made from, and which sites show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from initprobe.records.activation_use import ActivationUse


@dataclass(frozen=True, slots=True)
class Signal:
    """An argument that is the value of an earlier step."""

    step: int


@dataclass(frozen=True, slots=True)
class Held:
    """An argument that is a parameter.

    Attributes:
        parameter: its name.
        shape: its shape in this operation.
        plain: whether its values are the parameter's own; a reparametrized weight has others.
        centred: whether a mean is taken off on the way from the parameter to them.
    """

    parameter: str
    shape: tuple[int, ...] = ()
    plain: bool = True
    centred: bool = False


@dataclass(frozen=True, slots=True)
class Fixed:
    """An argument that is the same tensor in every pass: a mask, a table of positions.

    Attributes:
        shape: its shape.
        mean: mean of its values; 0 where they are not finite.
        second: mean of their squares, likewise.
        apart: mean product of two values that differ in their place but not in the last axis, likewise; None where it
            has one axis.
    """

    shape: tuple[int, ...] = ()
    mean: float = 0.0
    second: float = 0.0
    apart: float | None = None


Literal = float | int | bool | str | None
Argument = Signal | Held | Fixed | Literal | tuple["Argument", ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on a signal.

    Attributes:
        index: its place among the steps; it is made from earlier ones.
        name: short name of the function (``linear``, ``conv2d``, ``add``), ``input`` for the model's inputs.
        effect: what the function does to a signal, as the room that traced it sorts them (``weighted``, ``view`` ...).
        shape: of the value in the traced pass.
        args, kwargs: the call's arguments, for an input its place in the call; what is neither a tensor nor plain data
            is None.
        activation: the activation that it computes.
        place: which of the function's outputs it is.
        sites: keys of the sites that show the value.
        pattern: numbers that the law of this operation needs and no argument tells (how an attention mixes positions).
    """

    index: int
    name: str
    effect: str
    shape: tuple[int, ...]
    args: tuple[Argument, ...] = ()
    kwargs: Mapping[str, Argument] = field(default_factory=dict)
    activation: ActivationUse | None = None
    place: int = 0
    sites: tuple[str, ...] = ()
    pattern: Mapping[str, float] = field(default_factory=dict)

    @property
    def sources(self) -> tuple[int, ...]:
        """The steps that it is made from, in argument order, each once."""
        return tuple(dict.fromkeys(_signals((*self.args, *self.kwargs.values()))))

    @property
    def size(self) -> int:
        """Elements of the value in the traced pass."""
        total = 1
        for extent in self.shape:
            total *= extent
        return total


def _signals(arguments: tuple[Argument, ...]) -> list[int]:
    found: list[int] = []
    for argument in arguments:
        if isinstance(argument, Signal):
            found.append(argument.step)
        elif isinstance(argument, tuple):
            found += _signals(argument)
    return found


@dataclass(frozen=True, slots=True)
class Flow:
    """Every step of the pass, in execution order, and the steps that the model puts out."""

    steps: tuple[Step, ...] = ()
    outputs: tuple[int, ...] = ()
    samples: int = 2
