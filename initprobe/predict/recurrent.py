"""From a call of a recurrent function to the layers that it runs, and from states to the moments that a site shows."""

from __future__ import annotations

from collections.abc import Sequence

from initprobe.predict.cells import GATES
from initprobe.predict.ensemble import Ensemble, Packed, State, assemble, collected
from initprobe.predict.laws.base import Call
from initprobe.predict.moments import Memory, Moments, NoPredictionError
from initprobe.records import Argument, Held


def shown(state: State, memory: Memory | None = None) -> Moments:
    """The moments of a state, over units and draws."""
    second, spread = collected(state.second)
    lasting = min(float((state.mean**2).mean()), second)
    return Moments(second, lasting, lasting, lasting, float(state.mean.mean()), spread, memory=memory)


def layer_of(call: Call, kind: str, parameters: Sequence[Argument]) -> Ensemble:
    """The layer that uses these parameters: both matrices, and both biases where it has any.

    Raises:
        NoPredictionError: they are no parameters, were not measured gate by gate, or are no random matrices.
    """
    held = [one for one in parameters if isinstance(one, Held)]
    for one in held:
        call.parameter(one)
    drawn = [call.facts.gates.get(one.parameter, ()) for one in held]
    if len(held) not in {2, 4} or not all(drawn):
        raise NoPredictionError("its gates were not measured one by one")
    packed = Packed(drawn[0], drawn[1], tuple(drawn[2:]), held[0].shape[-1], held[1].shape[-1])
    return assemble(kind, GATES[kind], packed, held[1].parameter)
