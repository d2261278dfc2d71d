"""The gates of recurrent layers one by one: packed into one parameter, they may be drawn differently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from initprobe.hooks import unmeasurable
from initprobe.records import PartTrace, Weight

UNITS = 64
"""Units of a gate whose biases are kept, evenly spread over all of them."""


def gate_traces(parameter: torch.Tensor, weight: Weight) -> dict[str, PartTrace]:
    """Every gate of a recurrent layer's weight or bias, by name; the whole by an empty name where it has none.

    Args:
        parameter: its values.
        weight: who it is; nothing is measured of what is no part of a recurrent layer.
    """
    if weight.recurrent is None or unmeasurable(parameter) is not None or parameter.is_complex():
        return {}
    return {name: _part_trace(values) for name, values in _parts(parameter.detach(), weight)}


def all_gates(parameters: Mapping[str, torch.Tensor], weights: tuple[Weight, ...]) -> dict[str, dict[str, PartTrace]]:
    """The gates of every recurrent layer's parameter, by the parameter's name."""
    return {
        weight.name: gate_traces(parameters[weight.name], weight)
        for weight in weights
        if weight.recurrent is not None and weight.name in parameters
    }


def _parts(values: torch.Tensor, weight: Weight) -> Iterator[tuple[str, torch.Tensor]]:
    if not weight.parts:
        yield "", values
    for part in weight.parts:
        yield (
            part.name,
            torch.cat([values.narrow(part.axis, start, stop - start) for start, stop in part.ranges], part.axis),
        )


def _part_trace(values: torch.Tensor) -> PartTrace:
    exact = values.double()
    diagonal = None
    sample: tuple[float, ...] = ()
    if values.dim() == 2 and values.shape[0] == values.shape[1]:
        diagonal = exact.diagonal().mean().item()
    if values.dim() == 1:
        sample = tuple(exact[:: -(-len(exact) // UNITS)].tolist())
    return PartTrace(exact.mean().item(), exact.square().mean().sqrt().item(), diagonal, sample)
