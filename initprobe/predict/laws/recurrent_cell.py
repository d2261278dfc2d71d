"""One step of a recurrent cell, in a network that is unrolled by hand.

What the next step has to know of a state beyond its moments goes with it as a memory; see ``predict/cells.py`` for the
arithmetic of a step and ``predict/through_time.py`` for the way back.
"""

from __future__ import annotations

from collections.abc import Mapping

from initprobe.predict.cells import CELLS, Advanced
from initprobe.predict.ensemble import Ensemble, Remembered, State, collected
from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.moments import Gradient, Moments, NoPredictionError
from initprobe.predict.states import layer_of, shown
from initprobe.predict.through_time import Adjoint, Returned, Whole, arrived, from_outside, gathered, hand_back
from initprobe.records import Argument, Held, Signal

ARGUMENTS = ("input", "hx", "w_ih", "w_hh", "b_ih", "b_hh")
ROUNDING = 1e-9


@law
class RecurrentCell(Law):
    """``torch.lstm_cell``, ``gru_cell``, ``rnn_tanh_cell`` and ``rnn_relu_cell``."""

    names = tuple(f"{kind}_cell" for kind in CELLS)
    joint = True
    nested = True

    def forward(self, call: Call) -> Moments:
        """The hidden state, or the cell state of an LSTM."""
        known = _advanced(call)
        return shown(known.state, known)

    def gathered(self, call: Call, gradient: Gradient | None) -> Gradient | None:
        """The gradient of an LSTM's cell state, with what comes to it through the hidden state."""
        layer, made = _made(call)
        output = call.others.get(0)
        here = from_outside(
            arrived(layer.shape, _adjoint(gradient), _adjoint(output)),
            output=_outside(output),
            common=0.0 if output is None else output.position,
            state=_outside(gradient),
        )
        whole = gathered(here, made.slopes.emit)
        second, spread = collected(whole.second)
        return Gradient(second, 0.0, spread, memory=whole) if second > 0.0 else None

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """To the input, and to each state before it."""
        layer, made = _made(call)
        output = _adjoint(gradient)
        single = len(made.states) == 1
        here = arrived(layer.shape, output if single else None, output)
        here = from_outside(here, output=_outside(gradient), common=gradient.position)
        cell = call.others.get(1)
        whole = gathered(here, made.slopes.emit) if single or cell is None else cell.memory
        if not isinstance(whole, Whole):
            raise NoPredictionError("nothing is known of the gradient of its cell state")
        back = hand_back(here, whole, made.slopes)
        return self._given(call, back)

    def _given(self, call: Call, back: Returned) -> dict[int, Gradient]:
        given: dict[int, Gradient] = {}
        source, states = _operands(call)
        before = back.before
        parts = [before]
        if len(states) == 2:
            parts = [Adjoint(None, before.heard, before.trail), Adjoint(before.kept, None, before.trail)]
        second, spread = collected(back.inputs)
        to_states = zip(states, map(_gradient, parts), strict=True)
        for target, found in [(source, Gradient(second, 0.0, spread)), *to_states]:
            if isinstance(target, Signal):
                given[target.step] = found.plus(given.get(target.step))
        return given


def _gradient(part: Adjoint) -> Gradient:
    second, spread = collected(part.seconds)
    return Gradient(second, 0.0, spread, memory=part)


def _made(call: Call) -> tuple[Ensemble, Advanced]:
    own = call.states.get(call.step.index)
    if own is None or not isinstance(own.memory, Remembered) or not isinstance(own.memory.made, Advanced):
        raise NoPredictionError("nothing is known of the step on the way forward")
    return own.memory.ensemble, own.memory.made


def _adjoint(gradient: Gradient | None) -> Adjoint | None:
    memory = None if gradient is None else gradient.memory
    return memory if isinstance(memory, Adjoint) else None


def _outside(gradient: Gradient | None) -> float:
    """What of a gradient did not come from later steps."""
    if gradient is None:
        return 0.0
    memory = _adjoint(gradient)
    rest = gradient.second - (0.0 if memory is None else memory.second)
    return rest if rest > ROUNDING * gradient.second else 0.0


def _operands(call: Call) -> tuple[Argument, tuple[Argument, ...]]:
    given = call.given(*ARGUMENTS)
    states = given.get("hx")
    return given.get("input"), states if isinstance(states, tuple) else (states,)


def _advanced(call: Call) -> Remembered:
    """The step, which is made once for all of its outputs."""
    sibling = call.states.get(call.step.index - call.step.place)
    if call.step.place and sibling is not None and isinstance(sibling.memory, Remembered):
        memory = sibling.memory
        if memory.call == call.step.args and isinstance(memory.made, Advanced):
            return Remembered(memory.ensemble, memory.made.states[call.step.place], memory.made, memory.call)
    source, states = _operands(call)
    known = [call.moments(state) for state in states]
    kind = call.step.name.removesuffix("_cell")
    layer = next((one.memory.ensemble for one in known if isinstance(one.memory, Remembered)), None)
    layer = layer if layer is not None and layer.name == _name(call) else _layer(call, kind)
    made = CELLS[kind](layer, layer.drive(call.moments(source)), tuple(_state(layer, one) for one in known))
    return Remembered(layer, made.states[call.step.place], made, call.step.args)


def _state(layer: Ensemble, known: Moments) -> State:
    memory = known.memory
    if not isinstance(memory, Remembered) or memory.ensemble is not layer:
        return layer.state(known)
    there = collected(memory.state.second)[0]
    # An operation in between may have changed its size and let the memory go on as it was.
    return memory.state.rescaled(known.second / there) if there > 0.0 else memory.state


def _name(call: Call) -> str:
    weight = call.given(*ARGUMENTS).get("w_hh")
    return weight.parameter if isinstance(weight, Held) else ""


def _layer(call: Call, kind: str) -> Ensemble:
    given = call.given(*ARGUMENTS)
    return layer_of(kind, [given.get(name) for name in ("w_ih", "w_hh", "b_ih", "b_hh")], call.facts.gates)
