"""From the parameters of a recurrent function to the layer that it runs, and from states to what a site shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from initprobe.predict.cells import GATES
from initprobe.predict.ensemble import Ensemble, Packed, State, assemble, collected
from initprobe.predict.moments import Memory, Moments, NoPredictionError
from initprobe.records import Argument, Held, PartTrace, Trace


def shown(state: State, memory: Memory | None = None) -> Moments:
    """The moments of a state, over units and draws."""
    second, spread = collected(state.second)
    lasting = min(float((state.mean**2).mean()), second)
    return Moments(second, lasting, lasting, lasting, float(state.mean.mean()), spread, memory=memory)


def layer_of(
    kind: str, parameters: Sequence[Argument], measured: Mapping[str, Sequence[Mapping[str, PartTrace]]]
) -> Ensemble:
    """The layer that uses these parameters: both matrices, and both biases where it has any.

    Args:
        kind: of its cell.
        parameters: as its function is given them.
        measured: the gates of every parameter, one mapping per draw.

    Raises:
        NoPredictionError: they are no parameters, were not measured gate by gate, or are no random matrices.
    """
    held = [one for one in parameters if isinstance(one, Held)]
    for one in held:
        if not one.plain:
            raise NoPredictionError(f"its weight is computed from parameters ({one.parameter})")
    drawn = [measured.get(one.parameter, ()) for one in held]
    if len(held) not in {2, 4} or not all(drawn):
        raise NoPredictionError("its gates were not measured one by one")
    packed = Packed(drawn[0], drawn[1], tuple(drawn[2:]), held[0].shape[-1], held[1].shape[-1])
    return assemble(kind, GATES[kind], packed, held[1].parameter)


def gates_of(traces: Sequence[Trace]) -> dict[str, list[Mapping[str, PartTrace]]]:
    """The gates of every recurrent layer's parameter, one mapping per draw."""
    found: dict[str, list[Mapping[str, PartTrace]]] = {}
    for trace in traces:
        for parameter in trace.parameters:
            if parameter.parts:
                found.setdefault(parameter.name, []).append(parameter.parts)
    return found
