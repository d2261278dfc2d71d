"""Weights of torch's functions that apply several at once: recurrent layers, and nn.MultiheadAttention."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from initprobe.dissect.tape import Node, Operand
from initprobe.dissect.uses import Inside, Use, activation_before, activation_behind, operand_of
from initprobe.operations import ATTENTION_PARAMETERS, GATES, bind, short_name
from initprobe.records import ActivationUse, Attention, Part

_SEPARATE: tuple[tuple[str, Attention], ...] = (
    ("q_proj_weight", "query"),
    ("k_proj_weight", "key"),
    ("v_proj_weight", "value"),
)


Side = Literal["input", "hidden"]
_SIDES: tuple[Side, Side] = ("input", "hidden")


def recurrent_kind(name: str) -> str | None:
    """``lstm``, ``gru`` ... of a function's qualified name, whether it runs a layer or one step; None for others."""
    kind = short_name(name).removesuffix("_cell")
    return kind if kind in GATES else None


def recurrent_uses(node: Node, kind: str) -> Iterator[Use]:
    """The weights of a recurrent function, layer by layer."""
    activation = ActivationUse(kind.removeprefix("rnn_")) if kind.startswith("rnn_") else None
    groups, directions = _groups(node)
    last = (len(groups) - 1) // directions
    for place, group in enumerate(groups):
        layer = place // directions
        before = {"input": activation if layer else activation_before(node), "hidden": activation}
        matrices = [found for found in group if len(found.shape) == 2]
        biases = [found for found in group if len(found.shape) == 1]
        for found, side in zip(matrices, _SIDES, strict=False):
            yield _gated(node, found, kind, side, Inside(layer, layer == last, before[side], activation))
        for found in matrices[2:]:  # the projection of the hidden state, in an LSTM that has one
            fans = float(found.shape[1]), float(found.shape[0])
            yield Use(node, found.parameter, "linear", *fans, 0, -1, inside=Inside(layer, layer == last))
        for found, side in zip(biases, _SIDES, strict=False):
            parts = _equal_parts(GATES[kind], found.shape[0])
            yield Use(node, found.parameter, "bias", parts=parts, recurrent=side, inside=Inside(layer, layer == last))


def _groups(node: Node) -> tuple[list[list[Operand]], int]:
    """The parameters of each layer and direction, in the order of the call, and the number of directions.

    A layer's function takes them all as one sequence, with the flags has_biases, num_layers, dropout, train and
    bidirectional behind it; a cell's takes them one by one.
    """
    for place, value in enumerate(node.args):
        flags = node.args[place + 1 : place + 6]
        if isinstance(value, tuple) and len(flags) == 5 and isinstance(flags[0], bool):
            directions = 2 if flags[4] else 1
            size = max(1, len(value) // max(1, directions * int(flags[1])))
            starts = range(0, len(value), size)
            return [_operands(value[start : start + size]) for start in starts], directions
    return [_operands(node.args)], 1


def _operands(values: tuple[Any, ...]) -> list[Operand]:
    return [found for value in values if (found := operand_of(value)) is not None]


def _gated(node: Node, found: Operand, kind: str, side: Side, inside: Inside) -> Use:
    names = GATES[kind]
    rows, columns = found.shape
    fans = float(columns), rows / max(1, len(names))
    parts = _equal_parts(names, rows, fans)
    return Use(node, found.parameter, "recurrent", *fans, 0, -1, parts, recurrent=side, inside=inside)


def _equal_parts(
    names: tuple[str, ...], rows: int, fans: tuple[float | None, float | None] = (None, None)
) -> tuple[Part, ...]:
    size = rows // max(1, len(names))
    return tuple(Part(name, 0, ((place * size, (place + 1) * size),), *fans) for place, name in enumerate(names))


def attention_uses(node: Node) -> Iterator[Use]:
    """The weights of ``nn.MultiheadAttention``."""
    given: dict[str, Any] = bind(ATTENTION_PARAMETERS, node.args, node.kwargs)
    first = Inside(last=False, before=activation_before(node))
    last = Inside(1, behind=activation_behind(node))
    packed, names = operand_of(given.get("in_proj_weight")), ("query", "key", "value")
    if packed is not None:
        rows, columns = packed.shape
        fans = float(columns), rows / 3
        parts = _equal_parts(names, rows, fans)
        yield Use(node, packed.parameter, "linear", *fans, 0, -1, parts, "query_key_value", inside=first)
    for name, place in _SEPARATE:
        if (found := operand_of(given.get(name))) is not None:
            fans = float(found.shape[1]), float(found.shape[0])
            yield Use(node, found.parameter, "linear", *fans, 0, -1, attention=place, inside=first)
    if (out := operand_of(given.get("out_proj_weight"))) is not None:
        fans = float(out.shape[1]), float(out.shape[0])
        yield Use(node, out.parameter, "linear", *fans, 0, -1, attention="out", inside=last)
    if (bias := operand_of(given.get("in_proj_bias"))) is not None:
        parts = _equal_parts(names, bias.shape[0])
        yield Use(node, bias.parameter, "bias", parts=parts, attention="query_key_value")
    others: tuple[tuple[str, Attention], ...] = (("out_proj_bias", "out"), ("bias_k", "key"), ("bias_v", "value"))
    for name, place in others:
        if (found := operand_of(given.get(name))) is not None:
            yield Use(node, found.parameter, "bias", attention=place)
