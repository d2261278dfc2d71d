"""Follow a signal through a real network: from the weights as they are to the second moment at every site.

Forward from the model's input, backward from its output, and each of the two in two ways: accumulated all the way, and
from what was measured just before, which tells the layer where theory and network part.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from initprobe.errors import UsageError, first_line
from initprobe.predict import kinds
from initprobe.predict.calls import is_one_kernel, other_outputs
from initprobe.predict.laws.base import Call, Facts, Law, find_law
from initprobe.predict.measured import (
    LARGEST,
    gathered,
    input_moments,
    parameter_moments,
    value_gradient,
    value_moments,
)
from initprobe.predict.moments import Gradient, Moments, NoPredictionError
from initprobe.predict.states import gates_of
from initprobe.records import Anatomy, Expected, Prediction, SitePrediction, Step, Trace

State = TypeVar("State", Moments, Gradient)


@dataclass(slots=True)
class Way(Generic[State]):
    """One way through the network.

    Attributes:
        states: what goes on from each step.
        expected: what the law of each step said, before anything measured took its place.
        why: reasons, by step, where a law said nothing.
        resumed: steps that something measured had a part in, because a law before them said nothing.
    """

    states: dict[int, State] = field(default_factory=dict)
    expected: dict[int, State] = field(default_factory=dict)
    why: dict[int, str] = field(default_factory=dict)
    resumed: set[int] = field(default_factory=set)

    def settle(self, index: int, measured: State | None, *, reset: bool) -> None:
        """Let what was measured stand in for what has no prediction, or, with ``reset``, for everything."""
        state = self.expected.get(index)
        if state is None:
            if measured is not None:
                self.states[index] = measured
                self.resumed.add(index)
            return
        if reset and measured is not None and measured.second != state.second:
            state = state.rescaled(measured.second / state.second) if state.second > 0.0 else measured
        self.states[index] = state


def predict(anatomy: Anatomy, traces: Sequence[Trace], *, samples: int) -> Prediction:
    """What theory expects at every measured site, as the mean over draws of the weights.

    Args:
        anatomy: the structure, with its flow.
        traces: one per draw.
        samples: batch of the measured passes.
    """
    network = Network(anatomy, traces, samples)
    ways = []
    for reset in (False, True):
        there = network.forward(reset=reset)
        ways.append((there, network.backward(there, reset=reset)))
    (total, total_back), (local, local_back) = ways
    return Prediction(
        {
            key: SitePrediction(
                key,
                expected(total, local, index),
                expected(total_back, local_back, index) if key in network.gradients else None,
            )
            for key, index in network.shown.items()
        }
    )


def expected(total: Way[State], local: Way[State], index: int) -> Expected:
    """The numbers of one step, as RMS."""
    state, near = total.expected.get(index), local.expected.get(index)
    if state is None:
        return Expected(why=total.why.get(index, "nothing leads there"))
    return Expected(
        accumulated=typical(state),
        local=None if near is None else _root(near.second),
        spread=0.5 * _root(state.spread),
        resumed=index in total.resumed,
    )


def typical(state: State) -> float:
    """RMS of a typical draw: the mean of the logarithm, which half the spread lies below the logarithm of the mean.

    Of log E x² over draws that is Hanin 2018 (arXiv 1801.03744, Theorem 1); the root halves it once more.
    """
    return _root(state.second) * math.exp(-0.25 * state.spread)


class Network:
    """The flow of a network with everything measured that a law may need.

    Args:
        anatomy: the structure, with its flow.
        traces: one per draw.
        samples: batch of the measured passes.
    """

    def __init__(self, anatomy: Anatomy, traces: Sequence[Trace], samples: int) -> None:
        self.flow = anatomy.flow
        self.shapes = [step.shape for step in self.flow.steps]
        self.laws: list[Law | None] = [find_law(step) for step in self.flow.steps]
        measured = {site.key for trace in traces for site in trace.sites}
        self.shown = {key: step.index for step in self.flow.steps for key in step.sites if key in measured}
        self.values = {key: value_moments(found) for key, found in gathered(traces, "forward").items()}
        self.gradients = {key: value_gradient(found) for key, found in gathered(traces, "backward").items()}
        self.inputs = input_moments(traces)
        units = {site.key: site.units for site in anatomy.sites}
        self.facts = Facts(
            parameter_moments(traces, anatomy),
            _units(self.flow.steps, units),
            samples,
            self.flow.samples,
            gates_of(traces),
        )

        self.one_kernel = is_one_kernel(self.flow, self.laws, self.gradients)

    def forward(self, *, reset: bool) -> Way[Moments]:
        """From the inputs to the last step."""
        way: Way[Moments] = Way()
        for step in self.flow.steps:
            try:
                way.expected[step.index] = self._value(step, way)
            except (NoPredictionError, *UNFIT) as error:
                way.why[step.index] = _refusal(step, error)
            if any(source in way.resumed for source in step.sources):
                way.resumed.add(step.index)
            way.settle(step.index, self._shown(step, self.values), reset=reset)
        return way

    def backward(self, there: Way[Moments], *, reset: bool) -> Way[Gradient]:
        """From the outputs to the inputs, along the same steps."""
        way: Way[Gradient] = Way()
        for index in self.flow.outputs:
            start = self._shown(self.flow.steps[index], self.gradients)
            if start is not None:
                way.expected[index] = start
        for step in reversed(self.flow.steps):
            if step.index in way.why:
                way.expected.pop(step.index, None)
            self._settle(step, there, way, reset=reset)
            others = self._others(step, way)
            gradient = way.states.get(step.index) or (Gradient(0.0) if others else None)
            if gradient is not None:
                self._hand_back(replace(self._call(step, there.states), others=others), way, gradient)
            elif step.index in way.why:
                for source in step.sources:
                    way.why.setdefault(source, way.why[step.index])
        return way

    def _value(self, step: Step, way: Way[Moments]) -> Moments:
        if step.name == "input":
            place = str(step.args[0]) if step.args else ""
            found = self.inputs.get(place)
            if found is None:
                raise NoPredictionError("it is no input of numbers that a law knows")
            return found
        law = self.laws[step.index]
        if law is None:
            raise NoPredictionError(f"no law of {step.name} is known")
        found = kinds.forward(law, self._call(step, way.states))
        if not found.second < LARGEST**2:
            raise NoPredictionError("it leaves the range of numbers")
        return found

    def _settle(self, step: Step, there: Way[Moments], way: Way[Gradient], *, reset: bool) -> None:
        """What goes on from a step; of one that the same call makes its first output from, with what that tells it."""
        law, measured = self.laws[step.index], self._shown(step, self.gradients)
        if law is None or not law.nested or not step.place or step.index - step.place in way.why:
            way.settle(step.index, measured, reset=reset)
            return
        first = self.flow.steps[step.index - step.place]
        way.settle(first.index, self._shown(first, self.gradients), reset=reset)
        known = way.states.get(first.index)
        call = replace(self._call(step, there.states), others={} if known is None else {0: known})
        if self.one_kernel:
            way.settle(step.index, measured, reset=reset)
        arrived = way.states if self.one_kernel else way.expected
        try:
            whole = law.gathered(call, arrived.get(step.index))
        except (NoPredictionError, *UNFIT) as error:
            way.why[step.index] = _refusal(step, error)
            way.settle(step.index, measured, reset=reset)
            return
        if whole is not None and not self.one_kernel:
            way.expected[step.index] = whole
            way.settle(step.index, measured, reset=reset)
        elif whole is not None:
            way.states[step.index] = whole

    def _others(self, step: Step, way: Way[Gradient]) -> dict[int, Gradient]:
        """What came to the other outputs of a call, for a law that takes them all together."""
        others = other_outputs(self.flow, step, self.laws[step.index])
        if any(other.index in way.resumed for other in others):
            way.resumed.add(step.index)
        return {other.place: way.states[other.index] for other in others if other.index in way.states}

    def _hand_back(self, call: Call, way: Way[Gradient], gradient: Gradient) -> None:
        step, law = call.step, self.laws[call.step.index]
        if step.name == "input" or (law is not None and law.joint and step.place):
            return
        if law is None:
            for source in step.sources:
                way.why[source] = f"no law of {step.name} is known"
            return
        try:
            given = kinds.backward(law, call, gradient)
        except (NoPredictionError, *UNFIT) as error:
            for source in step.sources:
                way.why[source] = _refusal(step, error)
            return
        for source, back in given.items():
            way.expected[source] = back.plus(way.expected.get(source))
            if step.index in way.resumed:
                way.resumed.add(source)

    def _call(self, step: Step, states: Mapping[int, Moments]) -> Call:
        return Call(step, states, self.shapes, self.facts)

    def _shown(self, step: Step, measured: Mapping[str, State]) -> State | None:
        return next((measured[key] for key in step.sites if key in measured), None)


UNFIT = (UsageError, ArithmeticError, LookupError, TypeError, ValueError)
"""What a law raises on arguments that nobody thought of: theory must not take the measurement down with it."""


def _refusal(step: Step, error: Exception) -> str:
    """Why a law has nothing to say, for a reader."""
    if isinstance(error, NoPredictionError):
        return str(error)
    if isinstance(error, OverflowError):
        return "it leaves the range of numbers"
    return f"the law of {step.name} does not fit this call ({first_line(error)})"


def _root(value: float) -> float:
    return math.sqrt(max(0.0, value))


def _units(steps: Sequence[Step], known: Mapping[str, int | None]) -> dict[int, int]:
    """Units of every step: of the site that shows it, of the operation, or of what it was made from."""
    units: dict[int, int] = {}
    for step in steps:
        shown = next((known[key] for key in step.sites if known.get(key)), None)
        source = next((one for one in step.sources if steps[one].shape == step.shape and one in units), None)
        if shown is not None:
            units[step.index] = shown
        elif step.name.startswith("conv") and len(step.shape) > 2:
            units[step.index] = step.shape[1]
        elif source is not None:
            units[step.index] = units[source]
        elif step.name.startswith("max_pool") or "avg_pool" in step.name or step.name == "pad":
            units[step.index] = step.shape[1] if len(step.shape) > 2 else 1
        elif step.effect == "weighted" and step.shape:
            units[step.index] = step.shape[-1]
    return units
