"""Who every parameter is: its role, its fans as the arithmetic has them, the activations around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from initprobe.dissect.flow import is_shift
from initprobe.dissect.fused import attention_uses, recurrent_kind, recurrent_uses
from initprobe.dissect.norms import is_called_norm
from initprobe.dissect.products import einsum_uses, product_uses
from initprobe.dissect.tape import Node, Operand, Tape
from initprobe.dissect.untraced import weight_from_shape
from initprobe.dissect.uses import Use, operand_of
from initprobe.operations import ATTENTION, EINSUM, EMBEDDINGS, MULTIPLYING, NORMS, PRODUCTS, bind, short_name
from initprobe.records import Location, Role, Weight


def settle_products(tape: Tape) -> dict[Node, list[Use]]:
    """Every node that uses parameters, with the uses; products of two signals lose their effect ``weighted``."""
    found: dict[Node, list[Use]] = {}
    for node in tape.nodes:
        uses = list(_uses(node))
        if uses:
            found[node] = uses
        if node.name in EINSUM and any(use.role == "linear" for use in uses):
            node.effect = "weighted"
        if node.effect in {"weighted", "embedding"} and not any(use.role not in {"bias", "norm"} for use in uses):
            node.effect = "other"
    return found


def _uses(node: Node) -> Iterator[Use]:
    kind = recurrent_kind(node.name)
    if node.name in PRODUCTS:
        yield from product_uses(node)
    elif node.name in EINSUM:
        yield from list(einsum_uses(node)) or _elementwise(node)
    elif node.name in EMBEDDINGS:
        weight = operand_of(bind(EMBEDDINGS[node.name], node.args, node.kwargs).get("weight"))
        if weight is not None and len(weight.shape) == 2:
            # A lookup is a product with a one-hot input: one value is summed over.
            yield Use(node, weight.parameter, "embedding", 1.0, float(weight.shape[1]), weight.axis(1), -1)
    elif node.name in NORMS:
        given = bind(NORMS[node.name], node.args, node.kwargs)
        roles: tuple[tuple[str, Role], ...] = (("weight", "norm"), ("bias", "bias"))
        yield from (Use(node, found.parameter, role) for name, role in roles if (found := operand_of(given.get(name))))
    elif kind is not None:
        yield from recurrent_uses(node, kind)
    elif node.name == ATTENTION:
        yield from attention_uses(node)
    elif node.operand is not None:
        yield from (Use(node, parameter, "other") for parameter in _lengths(node, node.operand))
    else:
        yield from _elementwise(node)


def _elementwise(node: Node) -> Iterator[Use]:
    """Parameters in an operation that is neither a product nor of torch's norms."""
    role: Role = "other"
    if node.effect == "norm":
        yield from _norm_by_hand(node)
        return
    if node.effect == "sum" and not short_name(node.name).startswith("addcmul"):
        role = "bias"
    for source in node.inputs:
        if source.operand is not None:
            yield Use(node, source.operand.parameter, role)


def _norm_by_hand(node: Node) -> Iterator[Use]:
    """The scale and the shift at the end of a norm that is written out: what multiplies, and what is added."""
    one: Node | None = node
    while one is not None and len(one.signals) == 1:
        name = short_name(one.name)
        for source in one.inputs:
            if source.operand is not None:
                yield Use(node, source.operand.parameter, "norm" if name in MULTIPLYING else "bias")
        one = one.signal if is_shift(one) or one.effect == "view" else None


def _lengths(node: Node, made: Operand) -> Iterator[str]:
    """The parameters that only scale the weight which a node makes: its lengths, in weight normalization."""
    for source in node.inputs:
        found = source.operand
        if found is None or found.parameter == made.parameter or len(found.shape) != len(node.shape):
            continue
        extents = zip(found.shape, node.shape, strict=True)
        if found.shape != node.shape and all(own in {1, whole} for own, whole in extents):
            yield found.parameter


_MINOR = ("bias", "other")
"""Roles that a parameter has beside a greater one elsewhere."""


def first_uses(uses: Mapping[Node, list[Use]]) -> dict[str, Use]:
    """The use that tells who a parameter is, by its name: the first one, of those that matter most."""
    first: dict[str, Use] = {}
    for found in uses.values():
        for use in found:
            known = first.get(use.parameter)
            if known is None or (known.role in _MINOR and use.role not in _MINOR):
                first[use.parameter] = use
    return first


def describe_weights(
    model: nn.Module, uses: Mapping[Node, list[Use]], locations: Mapping[str, Location]
) -> tuple[Weight, ...]:
    """Every parameter once, described by its first use in the pass, or by its shape where there was none."""
    first = first_uses(uses)
    names: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    weights, modules = [], dict(model.named_modules(remove_duplicate=False))
    for name, parameter in model.named_parameters():
        module_path = name.rpartition(".")[0]
        module = modules[module_path]
        met = first.get(name)
        attributes = {
            "name": name,
            "module": module_path,
            "module_type": type(module).__name__,
            "shape": tuple(parameter.shape),
            "trainable": parameter.requires_grad,
            "aliases": tuple(other for other in names[id(parameter)] if other != name),
            "location": nearest(locations, module_path),
        }
        weights.append(
            weight_from_shape(attributes, module) if met is None else _from_use(attributes, _placed(met, module))
        )
    return tuple(weights)


CELLS = {"LSTM": 4, "LSTMCell": 4, "GRU": 3, "GRUCell": 3, "SimpleRNN": 1, "SimpleRNNCell": 1}
"""Gates of recurrent layers that are written as plain products (Keras's are), by the name of their class."""


def _placed(use: Use, module: nn.Module) -> Use:
    """What the arithmetic does not tell, and the module does.

    A recurrent layer may be one product after another; a norm may multiply its scale into its statistics before the
    signal meets both. A module that holds others is none, whatever it is called (a NormFreeBlock and its gate).
    """
    if use.role == "other" and is_called_norm(module) and next(module.children(), None) is None:
        return replace(use, role="norm")
    kind = type(module)
    by_hand = kind.__name__ in CELLS and not kind.__module__.startswith("torch.")
    return replace(use, role="recurrent") if use.role == "linear" and by_hand else use


def nearest(locations: Mapping[str, Location], path: str) -> Location | None:
    """The location of a module, or of the nearest one around it."""
    while path not in locations and path:
        path = path.rpartition(".")[0]
    return locations.get(path)


def _from_use(known: dict[str, Any], use: Use) -> Weight:
    before, behind = use.activations
    return Weight(
        role=use.role,
        fan_in=use.fan_in,
        fan_out=use.fan_out,
        unit_axis=use.unit_axis,
        input_activation=before,
        output_activation=behind,
        parts=use.parts,
        attention=use.attention,
        recurrent=use.recurrent,
        **known,
    )
