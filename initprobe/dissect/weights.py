"""Who every parameter is: its role, its fans as the arithmetic has them, the activations around it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from initprobe.dissect.operations import ATTENTION, EMBEDDINGS, NORMS, PRODUCTS, RECURRENT, bind
from initprobe.dissect.tape import Node, Operand, Tape
from initprobe.records import ActivationUse, Location, Role, Weight


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a weight (or of a bias, a norm's scale ...) by one operation.

    Attributes:
        unit_axis: axis of the *parameter* that counts outputs.
        output_axis: axis of the operation's *output* that counts units, from the end.
    """

    node: Node
    parameter: str
    role: Role
    fan_in: float | None = None
    fan_out: float | None = None
    unit_axis: int | None = None
    output_axis: int | None = None


def settle_products(tape: Tape) -> dict[Node, list[Use]]:
    """Every node that uses parameters, with the uses; products of two signals lose their effect ``weighted``."""
    found: dict[Node, list[Use]] = {}
    for node in tape.nodes:
        uses = list(_uses(node))
        if uses:
            found[node] = uses
        if node.effect in {"weighted", "embedding"} and not any(use.role not in {"bias", "norm"} for use in uses):
            node.effect = "other"
    return found


def _uses(node: Node) -> Iterator[Use]:
    recurrent = RECURRENT.get(node.name.rpartition(".")[2])
    if node.name in PRODUCTS:
        yield from _product(node)
    elif node.name in EMBEDDINGS:
        weight = operand_of(bind(EMBEDDINGS[node.name], node.args, node.kwargs).get("weight"))
        if weight is not None and len(weight.shape) == 2:
            # A lookup is a product with a one-hot input: one value is summed over.
            yield Use(node, weight.parameter, "embedding", 1.0, float(weight.shape[1]), weight.axis(1), -1)
    elif node.name in NORMS:
        given = bind(NORMS[node.name], node.args, node.kwargs)
        roles: tuple[tuple[str, Role], ...] = (("weight", "norm"), ("bias", "bias"))
        yield from (Use(node, found.parameter, role) for name, role in roles if (found := operand_of(given.get(name))))
    elif recurrent is not None:
        yield from _packed(node, "recurrent", recurrent)
    elif node.name == ATTENTION:
        yield from _packed(node, "linear", 1)
    elif node.effect == "sum" and node.signal is not None:
        yield from (Use(node, source.operand.parameter, "bias") for source in node.inputs if source.operand)
    elif node.operand is not None:
        yield from (Use(node, parameter, "other") for parameter in _lengths(node, node.operand))


def _lengths(node: Node, made: Operand) -> Iterator[str]:
    """The parameters that only scale the weight which a node makes: its lengths, in weight normalization."""
    for source in node.inputs:
        found = source.operand
        if found is None or found.parameter == made.parameter or len(found.shape) != len(node.shape):
            continue
        extents = zip(found.shape, node.shape, strict=True)
        if found.shape != node.shape and all(own in {1, whole} for own, whole in extents):
            yield found.parameter


def _product(node: Node) -> Iterator[Use]:
    product = PRODUCTS[node.name]
    use: Use | None = None
    given = bind(product.operands, node.args, node.kwargs)
    weight, left = operand_of(given.get("weight")), operand_of(given.get("input"))
    if product.layout == "named":
        use = _named(node, given)
    elif product.layout == "in,out":
        if node.operand is not None:
            return  # a weight made of others (an orthogonal one, a low-rank one): no signal in it
        if weight is not None and len(weight.shape) >= 2:
            use = _matrix(node, weight, into=-2, out=-1)
        elif left is not None and len(left.shape) >= 2:
            use = _matrix(node, left, into=-1, out=-2)
    elif weight is not None:
        use = _filter(node, weight, product.layout, given)
    if use is None:
        return
    yield use
    bias = operand_of(given.get("bias"))
    if bias is not None:
        yield Use(node, bias.parameter, "bias", use.fan_in, use.fan_out)


def _matrix(node: Node, weight: Operand, *, into: int, out: int) -> Use:
    fan_in, fan_out = float(weight.shape[into]), float(weight.shape[out])
    return Use(node, weight.parameter, "linear", fan_in, fan_out, weight.axis(out), out)


def _named(node: Node, given: Mapping[str, Any]) -> Use | None:
    """A weight in ``einsum("abc,cde->abde", x, weight)``: summed over are the letters that the output lacks."""
    places = _letters(given)
    weights = [operand_of(given.get(name)) for name in ("input", "weight")]
    if places is None or node.operand is not None or (weights[0] is None) == (weights[1] is None):
        return None
    left = weights[0] is not None
    found, letters, others = weights[0 if left else 1], places[0 if left else 1], places[1 if left else 0]
    if found is None or len(letters) != len(found.shape):
        return None
    sizes = dict(zip(letters, found.shape, strict=True))
    out = [letter for letter in letters if letter in places[2] and letter not in others]
    fan_in = math.prod(size for letter, size in sizes.items() if letter not in places[2])
    axis = found.axis(letters.index(out[0])) if len(out) == 1 else None
    place = places[2].index(out[0]) - len(places[2]) if len(out) == 1 else None
    fan_out = math.prod(sizes[letter] for letter in out)
    return Use(node, found.parameter, "linear", float(fan_in), float(fan_out), axis, place)


def _letters(given: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """The letters of both operands and of the output; None where the equation leaves some unsaid."""
    equation = given.get("equation")
    found = re.fullmatch(r"([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]*)", str(equation).replace(" ", "").replace("...", ""))
    return None if found is None else (found[1], found[2], found[3])


def _filter(node: Node, weight: Operand, layout: str, given: Mapping[str, Any]) -> Use | None:
    shape = weight.shape
    if layout == "out,in":
        axis, fans = (weight.axis(0), (shape[1], shape[0])) if len(shape) == 2 else (None, (shape[-1], 1))
        return Use(node, weight.parameter, "linear", float(fans[0]), float(fans[1]), axis, -1)
    stride = given.get("stride", 1)
    steps = math.prod(stride) if isinstance(stride, tuple) else int(stride) ** (len(shape) - 2)
    near, far = _convolution_fans(shape, int(given.get("groups", 1) or 1), steps)
    if layout == "conv":
        return Use(node, weight.parameter, "conv", near, far, weight.axis(0), 1 - len(shape))
    return Use(node, weight.parameter, "transposed", far, near, weight.axis(1), 1 - len(shape))


def _convolution_fans(shape: tuple[int, ...], groups: int, steps: int) -> tuple[float, float]:
    """Fan in and out of a convolution, out and in of a transposed one.

    The weight is (out, in / groups, kernel ...). Of an input's taps only every stride-th is at an output.
    """
    kernel = math.prod(shape[2:])
    return float(shape[1] * kernel), shape[0] / groups * kernel / steps


def _packed(node: Node, role: Role, gates: int) -> Iterator[Use]:
    """The weights of a function that takes several at once; each is (gates x out, in)."""
    for source in node.inputs:
        found = source.operand
        if found is None:
            continue
        if len(found.shape) == 2:
            rows, columns = found.shape
            yield Use(node, found.parameter, role, float(columns), rows / gates, 0, -1)
        else:
            yield Use(node, found.parameter, "bias")


def operand_of(value: object) -> Operand | None:
    """The parameter behind an argument, None where it is a signal or no tensor at all."""
    return value.operand if isinstance(value, Node) else None


_MINOR = ("bias", "other")
"""Roles that a parameter has beside a greater one elsewhere."""


def describe_weights(
    model: nn.Module, uses: Mapping[Node, list[Use]], locations: Mapping[str, Location]
) -> tuple[Weight, ...]:
    """Every parameter once, described by its first use in the pass, or by its shape where there was none."""
    first: dict[str, Use] = {}
    for found in uses.values():
        for use in found:
            known = first.get(use.parameter)
            if known is None or (known.role in _MINOR and use.role not in _MINOR):
                first[use.parameter] = use
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
        weights.append(_from_shape(attributes, module) if met is None else _from_use(attributes, _gated(met, module)))
    return tuple(weights)


_CELLS = {"LSTM": 4, "LSTMCell": 4, "GRU": 3, "GRUCell": 3, "SimpleRNN": 1, "SimpleRNNCell": 1}
"""Gates of recurrent layers that multiply with a matrix of their own (Keras's do), by the name of their class."""


def _gated(use: Use, module: nn.Module) -> Use:
    """The matrix of a recurrent layer holds those of all its gates side by side, and every unit has one of each."""
    gates = _CELLS.get(type(module).__name__)
    if gates is None or use.role != "linear" or not use.fan_out or use.fan_out % gates:
        return use
    return replace(use, role="recurrent", fan_out=use.fan_out / gates)


def nearest(locations: Mapping[str, Location], path: str) -> Location | None:
    """The location of a module, or of the nearest one around it."""
    while path not in locations and path:
        path = path.rpartition(".")[0]
    return locations.get(path)


def _from_use(known: dict[str, Any], use: Use) -> Weight:
    before = behind = None
    if use.role not in {"bias", "norm"}:
        before, behind = activation_before(use.node), activation_behind(use.node)
    return Weight(
        role=use.role,
        fan_in=use.fan_in,
        fan_out=use.fan_out,
        unit_axis=use.unit_axis,
        input_activation=before,
        output_activation=behind,
        **known,
    )


def activation_before(node: Node) -> ActivationUse | None:
    """The activation that made the signal a weight multiplies; a normalization in between hides it."""
    if node.signal is None:
        return None
    return node.signal.back("view", "pass").activation


def activation_behind(node: Node) -> ActivationUse | None:
    """The first activation that a weight's output meets, through views, pooling, a bias and a normalization."""
    queue, seen = list(node.consumers), {node}
    while queue:
        consumer = queue.pop(0)
        if consumer in seen:
            continue
        seen.add(consumer)
        if consumer.activation is not None:
            return consumer.activation
        shifted = consumer.effect == "sum" and len(consumer.signals) == 1
        if shifted or consumer.effect in {"view", "pass", "norm"}:
            queue.extend(consumer.consumers)
    return None


def _from_shape(known: dict[str, Any], module: nn.Module) -> Weight:
    """What a parameter's shape tells when the pass did not use it, in torch's conventions."""
    shape, last = known["shape"], known["name"].rpartition(".")[2]
    if len(shape) < 2:
        kind: Role = "bias" if "bias" in last else "norm" if "Norm" in type(module).__name__ else "other"
        return Weight(role=kind, traced=False, **known)
    found = _fans_from_shape(shape, module)
    if found is None:
        return Weight(role="other", traced=False, **known)
    role, fan_in, fan_out, axis = found
    return Weight(role=role, fan_in=fan_in, fan_out=fan_out, unit_axis=axis, traced=False, **known)


_GATES = ((nn.LSTM, 4), (nn.LSTMCell, 4), (nn.GRU, 3), (nn.GRUCell, 3), (nn.RNNBase, 1), (nn.RNNCellBase, 1))


def _fans_from_shape(shape: tuple[int, ...], module: nn.Module) -> tuple[Role, float, float, int] | None:
    """Role, fans and unit axis; None where neither the module nor two axes tell."""
    if isinstance(module, nn.modules.conv._ConvNd):  # noqa: SLF001 the only name of all convolutions
        near, far = _convolution_fans(shape, module.groups, math.prod(module.stride))
        return ("transposed", far, near, 1) if module.transposed else ("conv", near, far, 0)
    if len(shape) != 2:
        return None
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return "embedding", 1.0, float(shape[1]), 1
    gates = next((number for kind, number in _GATES if isinstance(module, kind)), None)
    return "linear" if gates is None else "recurrent", float(shape[1]), shape[0] / (gates or 1), 0
