"""The tape without its tensors: what a theory needs to follow a signal through the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from initprobe.dissect.attention import Mixing
from initprobe.dissect.flow import between
from initprobe.dissect.tape import Node, Tape
from initprobe.operations import (
    ATTENTION,
    ATTENTION_PARAMETERS,
    DOT_PRODUCT_ATTENTION,
    MULTIPLYING,
    bind,
    plain_name,
    short_name,
)
from initprobe.records.flow import Argument, Fixed, Flow, Held, Signal, Step

CHOOSING = {"__getitem__", "narrow", "select", "chunk", "split", "unbind"}
"""Short names of functions that answer with some of the values they were given."""

CENTRING = {"sub", "__sub__", "sub_", "var_mean", "batch_norm", "layer_norm"}
"""Short names of functions that take a mean off, in what makes a weight from parameters."""


@dataclass(frozen=True, slots=True)
class Ends:
    """What goes in and what comes out.

    Attributes:
        inputs: where each input stands in the call.
        norms: values of normalizations that a module computes by hand, with what each was given.
        samples: batch of the traced pass.
        outputs: values that the model puts out.
    """

    inputs: Mapping[Node, str]
    norms: Mapping[Node, Node]
    samples: int
    outputs: tuple[Node, ...] = ()


def find_flow(tape: Tape, attentions: Sequence[Mixing], ends: Ends, keys: Mapping[Node, Sequence[str]]) -> Flow:
    """Every operation that a signal went through.

    Args:
        tape: the traced pass.
        attentions: what ``find_attentions`` found: each is one step, whatever it was written as.
        ends: its inputs and outputs.
        keys: the sites that show each node's value.
    """
    mixed = {mixing.output: mixing for mixing in attentions}
    within = _within(attentions)
    numbers: dict[Node, int] = {}
    steps: list[Step] = []
    for node in tape.nodes:
        if node.fixed or node.operand is not None:
            continue
        step = Step(
            index=len(steps),
            name=_name(node),
            effect=node.effect,
            shape=node.shape,
            activation=node.activation,
            place=node.place,
            sites=tuple(keys.get(node, ())),
        )
        mixing, given = mixed.get(node), ends.norms.get(node)
        if node in ends.inputs:
            step = replace(step, args=(ends.inputs[node],))
        elif mixing is not None and all(one in numbers for one in (mixing.query, mixing.key, mixing.value)):
            step = _attention(step, tape, node, mixing, numbers)
        elif node in within:
            step = replace(step, name="scores", activation=None)
        elif given in numbers:
            step = _norm_by_hand(step, node, given, numbers)
        elif node.activation is not None:
            step = replace(step, name=node.activation.name, args=_arguments(tape, node.inputs[:1], numbers))
        else:
            kwargs = {key: _argument(tape, value, numbers) for key, value in node.kwargs.items()}
            step = replace(step, args=_arguments(tape, node.args, numbers), kwargs=kwargs)
        if node.name == ATTENTION:
            step = replace(step, pattern=_fused_pattern(tape, node))
        numbers[node] = len(steps)
        steps.append(step)
    return Flow(tuple(steps), tuple(numbers[node] for node in ends.outputs if node in numbers), ends.samples)


def _within(attentions: Sequence[Mixing]) -> set[Node]:
    """What lies inside an attention: the step of the whole follows signals and gradients past it."""
    found: set[Node] = set()
    for mixing in attentions:
        ends = {mixing.query, mixing.key, mixing.value, mixing.output}
        if not any(one.fixed or one.operand is not None for one in ends):
            found |= set(mixing.scores) - ends
    return found


def _name(node: Node) -> str:
    """The short name; a reflected difference keeps its own, for its terms stand in the other order."""
    if node.name == ATTENTION:
        return "multi_head_attention"
    return "rsub" if short_name(node.name).strip("_") == "rsub" else plain_name(node.name)


def _attention(step: Step, tape: Tape, node: Node, mixing: Mixing, numbers: Mapping[Node, int]) -> Step:
    taken = tuple(Signal(numbers[one]) for one in (mixing.query, mixing.key, mixing.value))
    return replace(
        step, name="attention", effect="attention", args=taken, activation=None, pattern=_pattern(tape, node, mixing)
    )


def _norm_by_hand(step: Step, node: Node, given: Node, numbers: Mapping[Node, int]) -> Step:
    """The normalization as torch's own would be called."""
    inner = [one for one in between(given, node) if one is not given]
    centred = any(short_name(one.name) in CENTRING for one in inner)
    kwargs: dict[str, Argument] = {"input": Signal(numbers[given])}
    for one in inner:
        constants = [value for value in one.args if isinstance(value, float)]
        if one.effect in {"sum", "pass"} and constants:
            kwargs["eps"] = constants[0]
        for source in one.inputs:
            if source.operand is not None:
                name = "weight" if short_name(one.name) in MULTIPLYING else "bias"
                kwargs[name] = _held(source, source.operand.parameter)
    return replace(step, name="layer_norm" if centred else "rms_norm", kwargs=kwargs)


def _arguments(tape: Tape, values: Iterable[Any], numbers: Mapping[Node, int]) -> tuple[Argument, ...]:
    return tuple(_argument(tape, value, numbers) for value in values)


def _argument(tape: Tape, value: Any, numbers: Mapping[Node, int]) -> Argument:
    if isinstance(value, Node):
        if value in numbers:
            return Signal(numbers[value])
        if value.operand is not None:
            return _held(value, value.operand.parameter)
        return _fixed(tape.tensor_of(value))
    if isinstance(value, (tuple, list)):
        return _arguments(tape, value, numbers)
    return value if isinstance(value, (bool, int, float, str)) else None


def _held(node: Node, parameter: str) -> Held:
    plain = _is_plain(node)
    return Held(parameter, node.shape, plain=plain, centred=not plain and _is_centred(node))


def _is_centred(node: Node) -> bool:
    """Whether a mean was taken off a weight on its way from its parameters."""
    queue, seen = [node], {node}
    while queue:
        one = queue.pop()
        if short_name(one.name) in CENTRING:
            return True
        fresh = [source for source in one.inputs if source not in seen]
        seen.update(fresh)
        queue += fresh
    return False


def _is_plain(node: Node) -> bool:
    """Whether a value holds numbers of its parameter, all or some, in whatever shape."""
    while node.inputs and (node.effect == "view" or short_name(node.name) in CHOOSING):
        node = node.inputs[0]
    return node.name == "parameter"


def _fixed(tensor: torch.Tensor) -> Fixed:
    with torch._C.DisableTorchFunctionSubclass():  # noqa: SLF001 - a subclass is not asked about our arithmetic
        return _moments(tensor)


def _moments(tensor: torch.Tensor) -> Fixed:
    shape = () if tensor.is_nested else tuple(tensor.shape)
    if tensor.is_complex() or tensor.is_meta or tensor.layout is not torch.strided or not tensor.numel():
        return Fixed(shape)
    values = tensor.detach().double()
    mean, second = values.mean().item(), values.square().mean().item()
    return Fixed(shape, mean, second, _apart(values)) if second < float("inf") else Fixed(shape)


def _apart(values: torch.Tensor) -> float | None:
    """The mean product of two rows in one column: how much all rows have in common."""
    rows = values.flatten(0, -2) if values.dim() > 1 else values[None]
    if len(rows) < 2:
        return None
    own, whole = rows.square().sum(0), rows.sum(0).square()
    return ((whole - own).mean() / (len(rows) * (len(rows) - 1))).item()


def _fused_pattern(tape: Tape, node: Node) -> dict[str, float]:
    given = bind(ATTENTION_PARAMETERS, node.args, node.kwargs)
    query, key = given["query"], given["key"]
    dropped = given.get("dropout_p", 0.0) if given.get("training", True) else 0.0
    pattern = mixing_pattern(_visible(tape, given.get("attn_mask"), query.shape[0], key.shape[0]))
    return {**pattern, "dropout": float(dropped)}


def _pattern(tape: Tape, node: Node, mixing: Mixing) -> dict[str, float]:
    """How an attention mixes positions, and how large its scores are, in numbers."""
    if len(mixing.query.shape) < 2 or len(mixing.value.shape) < 2:
        return {}
    queries, keys, width = mixing.query.shape[-2], mixing.value.shape[-2], mixing.query.shape[-1]
    scores = _scores(node, mixing, width)
    visible = _visible(tape, scores.mask, queries, keys)
    if scores.causal:
        visible &= torch.ones(queries, keys, dtype=torch.bool).tril()
    return {**mixing_pattern(visible), "scale": scores.scale, "width": float(width), "dropout": scores.dropout}


@dataclass(frozen=True, slots=True)
class Scores:
    """What happens to the scores of an attention.

    Attributes:
        scale: what they are multiplied with.
        mask: the node of the mask, None where there is none.
        causal: whether a query sees earlier keys only, whatever the mask says.
        dropout: the part of the weights that is dropped.
    """

    scale: float
    mask: object = None
    causal: bool = False
    dropout: float = 0.0


def _scores(node: Node, mixing: Mixing, width: int) -> Scores:
    if node.name == DOT_PRODUCT_ATTENTION:
        names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale")
        given = bind(names, node.args, node.kwargs)
        scale, dropped = given.get("scale"), given.get("dropout_p", 0.0)
        return Scores(
            float(scale) if isinstance(scale, (int, float)) else width**-0.5,
            given.get("attn_mask"),
            bool(given.get("is_causal")),
            float(dropped),
        )
    scale, mask, dropped = 1.0, None, 0.0
    for inner in (*mixing.scores, mixing.query, mixing.key):
        numbers = [float(value) for value in inner.args[1:] if isinstance(value, (int, float))]
        if inner.effect == "scale" and numbers:
            scale = scale / numbers[0] if "div" in inner.name else scale * numbers[0]
        if short_name(inner.name) == "dropout":
            given = bind(("input", "p", "training"), inner.args, inner.kwargs)
            dropped = float(given.get("p", 0.5)) if given.get("training", True) else 0.0
        mask = next((source for source in inner.inputs if source.fixed and len(source.shape) >= 2), mask)
    return Scores(scale, mask, dropout=dropped)


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
        ``row``: mean over queries of the summed squared weights r; ``row_apart``: of r (1 - r); ``cross``: mean over
        pairs of queries of the summed products of their weights; ``column``: mean over keys of the summed squared
        weights; ``column_cross``: mean over keys of the summed products of the weights of two different queries.
    """
    seen = visible.double()
    weights = seen / seen.sum(1, keepdim=True).clamp(min=1.0)
    queries, keys = weights.shape
    rows = weights.square().sum(1)
    squares = rows.sum().item()
    products = weights.sum(0).square().sum().item()
    return {
        "row": squares / queries,
        "row_apart": (rows * (1.0 - rows)).mean().item(),
        "cross": (products - squares) / max(1, queries * (queries - 1)),
        "column": squares / keys,
        "column_cross": (products - squares) / keys,
    }
