"""The tape without its tensors: what a theory needs to follow a signal through the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from initprobe.dissect.attention import Mixing
from initprobe.dissect.tape import Node, Tape
from initprobe.operations import ATTENTION, ATTENTION_PARAMETERS, DOT_PRODUCT_ATTENTION, bind, plain_name, short_name
from initprobe.records.flow import Argument, Fixed, Flow, Held, Signal, Step

CHOOSING = {"__getitem__", "narrow", "select", "chunk", "split", "unbind"}
"""Short names of functions that answer with some of the values they were given."""


@dataclass(frozen=True, slots=True)
class Ends:
    """What goes in and what comes out.

    Attributes:
        inputs: where each input stands in the call.
        outputs: values that the model puts out.
        samples: batch of the traced pass.
    """

    inputs: Mapping[Node, str]
    outputs: Sequence[Node]
    samples: int


def find_flow(tape: Tape, attentions: Sequence[Mixing], ends: Ends, keys: Mapping[Node, Sequence[str]]) -> Flow:
    """Every operation that a signal went through.

    Args:
        tape: the traced pass.
        attentions: what ``find_attentions`` found: each is one step, whatever it was written as.
        ends: its inputs and outputs.
        keys: the sites that show each node's value.
    """
    mixed = {mixing.output: mixing for mixing in attentions}
    numbers: dict[Node, int] = {}
    steps: list[Step] = []
    for node in tape.nodes:
        if node.fixed or node.operand is not None:
            continue
        mixing = mixed.get(node)
        signals = [node] if mixing is None else [mixing.query, mixing.key, mixing.value]
        if mixing is not None and any(signal not in numbers for signal in signals):
            mixing = None
        step = Step(
            index=len(steps),
            name="multi_head_attention" if node.name == ATTENTION else plain_name(node.name),
            effect=node.effect,
            shape=node.shape,
            args=(ends.inputs[node],) if node in ends.inputs else _arguments(tape, node.args, numbers),
            kwargs={key: _argument(tape, value, numbers) for key, value in node.kwargs.items()},
            activation=node.activation,
            place=node.place,
            sites=tuple(keys.get(node, ())),
            pattern=_pattern(tape, node, mixing),
        )
        if mixing is not None:
            taken = tuple(Signal(numbers[signal]) for signal in signals)
            step = replace(step, name="attention", effect="attention", args=taken, kwargs={}, activation=None)
        numbers[node] = len(steps)
        steps.append(step)
    return Flow(tuple(steps), tuple(numbers[node] for node in ends.outputs if node in numbers), ends.samples)


def _arguments(tape: Tape, values: Iterable[Any], numbers: Mapping[Node, int]) -> tuple[Argument, ...]:
    return tuple(_argument(tape, value, numbers) for value in values)


def _argument(tape: Tape, value: Any, numbers: Mapping[Node, int]) -> Argument:
    if isinstance(value, Node):
        if value in numbers:
            return Signal(numbers[value])
        if value.operand is not None:
            return Held(value.operand.parameter, value.shape, plain=_is_plain(value))
        return _fixed(tape.tensor_of(value))
    if isinstance(value, (tuple, list)):
        return _arguments(tape, value, numbers)
    return value if isinstance(value, (bool, int, float, str)) else None


def _is_plain(node: Node) -> bool:
    """Whether a value holds numbers of its parameter, all or some, in whatever shape."""
    while node.inputs and (node.effect == "view" or short_name(node.name) in CHOOSING):
        node = node.inputs[0]
    return node.name == "parameter"


def _fixed(tensor: torch.Tensor) -> Fixed:
    shape = () if tensor.is_nested else tuple(tensor.shape)
    if not tensor.is_floating_point() or tensor.is_meta or tensor.layout is not torch.strided or not tensor.numel():
        return Fixed(shape)
    values = tensor.detach().double()
    mean, second = values.mean().item(), values.square().mean().item()
    return Fixed(shape, mean, second) if second < float("inf") else Fixed(shape)


def _pattern(tape: Tape, node: Node, mixing: Mixing | None) -> dict[str, float]:
    """How an attention mixes positions, and how large its scores are, in numbers."""
    if node.name == ATTENTION:
        given = bind(ATTENTION_PARAMETERS, node.args, node.kwargs)
        query, key = given["query"], given["key"]
        return mixing_pattern(_visible(tape, given.get("attn_mask"), query.shape[0], key.shape[0]))
    if mixing is None or len(mixing.query.shape) < 2 or len(mixing.key.shape) < 2:
        return {}
    queries, keys, width = mixing.query.shape[-2], mixing.value.shape[-2], mixing.query.shape[-1]
    scale, mask, causal = _scaling(node, mixing, width)
    visible = _visible(tape, mask, queries, keys)
    if causal:
        visible &= torch.ones(queries, keys, dtype=torch.bool).tril()
    return {**mixing_pattern(visible), "scale": scale, "width": float(width)}


def _scaling(node: Node, mixing: Mixing, width: int) -> tuple[float, object, bool]:
    """What scores are multiplied with, the mask (a node, or None) and whether the attention is causal."""
    if node.name == DOT_PRODUCT_ATTENTION:
        names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale")
        given = bind(names, node.args, node.kwargs)
        scale = given.get("scale")
        return (
            float(scale) if isinstance(scale, (int, float)) else width**-0.5,
            given.get("attn_mask"),
            bool(given.get("is_causal")),
        )
    scale, mask = 1.0, None
    for inner in (*mixing.scores, mixing.query, mixing.key):
        numbers = [value for value in inner.args[1:] if isinstance(value, (int, float))]
        if inner.effect == "scale" and numbers:
            scale = scale / numbers[0] if "div" in inner.name else scale * numbers[0]
        mask = next((source for source in inner.inputs if source.fixed and len(source.shape) >= 2), mask)
    return scale, mask, False


def _visible(tape: Tape, mask: object, queries: int, keys: int) -> torch.Tensor:
    """Which key each query sees, shape (queries, keys)."""
    everything = torch.ones(queries, keys, dtype=torch.bool)
    if not isinstance(mask, Node):
        return everything
    tensor = tape.tensor_of(mask)
    if tensor.dim() < 2 or tensor.shape[-1] != keys or tensor.shape[-2] not in (1, queries) or tensor.is_meta:
        return everything
    first = tensor.reshape(-1, *tensor.shape[-2:])[0]
    # True says "look" to torch's attention; what is added is 0 where one may look and very small elsewhere.
    seen = first if first.dtype is torch.bool else first > torch.finfo(torch.float16).min / 2
    return everything & seen.cpu()


def mixing_pattern(visible: torch.Tensor) -> dict[str, float]:
    """What uniform attention over the visible keys does to second moments.

    Args:
        visible: which key each query sees, shape (queries, keys).

    Returns:
        ``row``: mean over queries of the summed squared weights; ``cross``: mean over pairs of queries of the summed
        products of their weights; ``column``: mean over keys of the summed squared weights; ``column_cross``: mean over
        keys of the summed products of the weights of two different queries.
    """
    seen = visible.double()
    weights = seen / seen.sum(1, keepdim=True).clamp(min=1.0)
    queries, keys = weights.shape
    squares = weights.square().sum().item()
    products = weights.sum(0).square().sum().item()
    return {
        "row": squares / queries,
        "cross": (products - squares) / max(1, queries * (queries - 1)),
        "column": squares / keys,
        "column_cross": (products - squares) / keys,
    }
