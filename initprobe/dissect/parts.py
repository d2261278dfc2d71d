"""Which outputs of a weight go where: found by sending their numbers along the tape in place of the signal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from initprobe.dissect.flow import between, is_shift
from initprobe.dissect.tape import Node
from initprobe.operations import short_name

Units = frozenset[int]

_CUTTING = {"__getitem__", "chunk", "split", "unbind", "narrow", "select", "tensor_split", "unsafe_chunk"}
_SAME = {"scale", "norm", "activation", "pass"}


def all_units(source: Node, axis: int) -> Units:
    """All outputs of a weight that has them on that axis of its operation's value."""
    return frozenset(range(source.shape[axis])) if len(source.shape) >= -axis else frozenset()


def units_reaching(source: Node, axis: int, end: Node) -> Units:
    """The outputs of ``source``, counted along ``axis``, that had a part in ``end``; all where that cannot be told."""
    way = between(source, end)
    everything = all_units(source, axis)
    if not everything or not any(short_name(node.name) in _CUTTING for node in way):
        return everything
    reached: set[int] = set()
    held = {source: _numbered(source, axis)}
    for node in way[1:]:
        given = [one for one in node.signals if one in held]
        sent = _sent(node, held[given[0]]) if len(given) == 1 else None
        if sent is None:
            reached.update(*(_units(held[one]) for one in given))
        else:
            held[node] = sent
    if end in held:
        reached.update(_units(held[end]))
    return frozenset(reached)


def halves(source: Node, axis: int, end: Node, dim: int) -> tuple[Units, Units]:
    """The outputs of ``source`` in the first and in the second half of ``end`` along a dimension of it."""
    held: dict[Node, torch.Tensor] = {source: _numbered(source, axis)}
    for node in between(source, end)[1:]:
        given = [one for one in node.signals if one in held]
        sent = _sent(node, held[given[0]]) if len(given) == 1 else None
        if sent is None:
            return frozenset(), frozenset()
        held[node] = sent
    first, second = map(_units, held[end].chunk(2, dim))
    return first, second


def ranges_of(units: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Whole numbers as runs from start up to, not including, stop."""
    runs: list[tuple[int, int]] = []
    for unit in sorted(units):
        if runs and runs[-1][1] == unit:
            runs[-1] = runs[-1][0], unit + 1
        else:
            runs.append((unit, unit + 1))
    return tuple(runs)


def _units(numbers: torch.Tensor) -> Units:
    return frozenset(np.unique(numbers.numpy()).tolist())


def _numbered(source: Node, axis: int) -> torch.Tensor:
    """A tensor of that value's shape in which every output's number stands where the output stood."""
    numbers = torch.arange(source.shape[axis]).reshape(-1, *[1] * (-axis - 1))
    return numbers.expand(source.shape)


def _sent(node: Node, numbers: torch.Tensor) -> torch.Tensor | None:
    """What a node makes of the numbers if it only moves, cuts or leaves them; None where it does more."""
    if node.effect == "view" or short_name(node.name) in _CUTTING:
        return _replayed(node, numbers)
    if (node.effect in _SAME or is_shift(node)) and node.shape == tuple(numbers.shape):
        return numbers
    return None


def _replayed(node: Node, numbers: torch.Tensor) -> torch.Tensor | None:
    source = node.signal

    def put_in(value: Any) -> Any:
        if value is source:
            return numbers
        if isinstance(value, Node):
            raise TypeError("another tensor takes part")
        if isinstance(value, tuple):
            return tuple(map(put_in, value))
        return value

    if node.function is None or (short_name(node.name).endswith("_") and not short_name(node.name).endswith("__")):
        return None
    if short_name(node.name) in {"to", "type", "type_as", "float", "double", "half", "bfloat16", "cuda", "cpu"}:
        return numbers if node.shape == tuple(numbers.shape) else None
    try:
        made = node.function(*map(put_in, node.args), **{key: put_in(value) for key, value in node.kwargs.items()})
    except Exception:  # noqa: BLE001 whatever it was, the numbers do not come through
        return None
    made = made[node.place] if isinstance(made, (tuple, list)) else made
    return made if isinstance(made, torch.Tensor) and tuple(made.shape) == node.shape else None
