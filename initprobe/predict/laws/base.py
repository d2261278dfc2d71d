"""What a law is: how the moments of a value follow from those of its sources, and gradients the other way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from initprobe.predict.moments import Gradient, Moments, NoPredictionError, ParameterMoments
from initprobe.records import Argument, Fixed, Held, PartTrace, Signal, Step
from initprobe.registry import Registry


@dataclass(frozen=True, slots=True)
class Facts:
    """What a law may know besides the operation.

    Attributes:
        parameters: by name.
        units: the number of units of each step's value, by index, where it is known.
        samples: batch of the measured passes.
        traced: batch of the traced pass, which shapes have.
        gates: the gates of recurrent layers' parameters, by the parameter's name, one mapping per draw.
    """

    parameters: Mapping[str, ParameterMoments]
    units: Mapping[int, int]
    samples: int = 2
    traced: int = 2
    gates: Mapping[str, Sequence[Mapping[str, PartTrace]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One operation with everything that is known of what it was given.

    Attributes:
        step: the operation.
        states: moments of earlier steps, by index; those without a prediction are missing.
        shapes: shape of every step.
        facts: of the network.
        others: on the way back, gradients of the call's other outputs, by their places, for a law that asks for them.
    """

    step: Step
    states: Mapping[int, Moments]
    shapes: Sequence[tuple[int, ...]]
    facts: Facts
    others: Mapping[int, Gradient] = field(default_factory=dict)

    def given(self, *names: str) -> dict[str, Argument]:
        """Arguments by name, in the order in which the function takes them."""
        return {**dict(zip(names, self.step.args, strict=False)), **self.step.kwargs}

    def moments(self, argument: Argument) -> Moments:
        """What is known of an argument.

        Raises:
            NoPredictionError: nothing is.
        """
        if isinstance(argument, Signal):
            found = self.states.get(argument.step)
            if found is None:
                raise NoPredictionError("it is made from a value without a prediction")
            return found
        if isinstance(argument, Held):
            known = self.parameter(argument)
            return _alike(known.second, known.mean, everywhere=self.everywhere(argument.shape))
        if isinstance(argument, Fixed):
            apart = argument.apart if argument.shape[-1:] == (self.units,) else None
            return _alike(argument.second, argument.mean, everywhere=self.everywhere(argument.shape), apart=apart)
        if isinstance(argument, (int, float)):
            return _alike(float(argument) ** 2, float(argument), everywhere=True)
        raise NoPredictionError("an argument is no tensor")

    def parameter(self, held: Held) -> ParameterMoments:
        """The moments of a parameter, or of the weight that a layer computes from it.

        Raises:
            NoPredictionError: it is computed in a way that was not measured, or its entries are one and the same.
        """
        name = held.parameter if held.plain else layer_name(held.parameter)
        known = self.facts.parameters.get(name)
        # Of what the model's own code computes, the parameter's numbers are all that was measured.
        if not held.plain and (known is None or name == held.parameter):
            raise NoPredictionError(f"its weight is computed from parameters ({held.parameter})")
        if known is None:
            raise NoPredictionError(f"{held.parameter} was not measured")
        return replace(known, centred=True) if held.centred else known

    def bias(self, argument: Argument) -> Moments:
        """What a layer adds to every unit: so many numbers, the mean square of few of which is left to chance.

        Raises:
            NoPredictionError: as ``moments``.
        """
        known = self.moments(argument)
        constant = (known.mean**2 / known.second) ** 2 if known.second > 0.0 else 1.0
        return replace(known, spread=2.0 * (1.0 - constant) / max(1, self.units))

    def everywhere(self, shape: tuple[int, ...]) -> bool:
        """Whether a tensor of that shape, in this operation, is the same at all positions."""
        size = 1
        for extent in shape:
            size *= extent
        return size <= max(self.units, shape[-1] if shape else 1)

    @property
    def units(self) -> int:
        """Units (features or channels) of the value; its last extent where nothing tells."""
        shape = self.step.shape
        return self.facts.units.get(self.step.index, shape[-1] if shape else 1)

    @property
    def positions(self) -> float:
        """Places in one sample at which each unit has a value, at least 1."""
        return max(1.0, self.step.size / (self.facts.traced * max(1, self.units)))

    def share(self, source: int) -> float:
        """Elements of this value for each one of a source, in a measured pass."""
        before = self.shapes[source]
        size = 1
        for extent in before:
            size *= extent
        if not size:
            return 0.0
        times = self.step.size / size
        # What has no samples of its own (a table of positions) is read once by each of them.
        spread = self.step.shape[:1] == (self.facts.traced,) and before[:1] != (self.facts.traced,)
        return times * self.facts.samples / self.facts.traced if spread and times >= self.facts.traced else times


def layer_name(parameter: str) -> str:
    """The name under which a layer has a weight that is computed from that parameter."""
    path, marker, rest = parameter.partition("parametrizations.")
    return path + rest.partition(".")[0] if marker else parameter


def _alike(second: float, mean: float, *, everywhere: bool, apart: float | None = None) -> Moments:
    """A tensor that all samples share; at two positions it has two draws, one and the same, or what was measured."""
    position = apart if apart is not None else second if everywhere else mean * mean
    return Moments(second, position, second, position, mean)


class Law(ABC):
    """What an operation does to second moments.

    A law raises ``NoPredictionError`` where its assumptions fail.
    """

    names: tuple[str, ...] = ()
    """Short names of the functions that it is the law of."""
    effects: tuple[str, ...] = ()
    """Effects of operations that it is the law of where no name is known."""
    crosses: bool = False
    """Whether it mixes or chooses positions, so that it has to see all kinds of them at once."""
    joint: bool = False
    """Whether ``backward`` is asked once for all outputs of a call: for the first, with the gradients of the others."""
    nested: bool = False
    """Whether the first output is made from the others, inside of the call; ``gathered`` is asked for each of them."""

    @abstractmethod
    def forward(self, call: Call) -> Moments:
        """The moments of the value."""

    @abstractmethod
    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """What the gradient of the value adds to that of each source, by the index of its step."""

    def gathered(self, call: Call, gradient: Gradient | None) -> Gradient | None:
        """The gradient of an output, with what comes to it inside of the call from the first output."""
        del call
        return gradient


LAWS: Registry[Law] = Registry("law", "initprobe.predict.laws", "initprobe.laws")


def law(cls: type[Law]) -> type[Law]:
    """Register a law; a leaf calls this once per class."""
    LAWS.add(cls.__name__, cls())
    return cls


def find_law(step: Step) -> Law | None:
    """The law of an operation, by its name first."""
    return _law_of(step.name, step.effect)


@cache
def _law_of(name: str, effect: str) -> Law | None:
    laws = list(LAWS.values())
    by_name = (leaf for leaf in laws if name in leaf.names)
    by_effect = (leaf for leaf in laws if effect in leaf.effects)
    return next(by_name, None) or next(by_effect, None)
