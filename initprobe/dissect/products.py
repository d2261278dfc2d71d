"""Weights that a signal is multiplied with: matrices and filters, with their fans."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from initprobe.dissect.tape import Node, Operand
from initprobe.dissect.uses import Use, operand_of
from initprobe.operations import PRODUCTS, bind
from initprobe.records import Role


def product_uses(node: Node) -> Iterator[Use]:
    """The weight of a product, and its bias; nothing where both factors are signals."""
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
    groups = int(given.get("groups", 1) or 1)
    near, far = convolution_fans(shape, groups, steps)
    if layout == "conv":
        role: Role = "depthwise" if is_depthwise(shape, groups) else "conv"
        return Use(node, weight.parameter, role, near, far, weight.axis(0), 1 - len(shape))
    return Use(node, weight.parameter, "transposed", far, near, weight.axis(1), 1 - len(shape))


def convolution_fans(shape: tuple[int, ...], groups: int, steps: int) -> tuple[float, float]:
    """Fan in and out of a convolution, out and in of a transposed one.

    The weight is (out, in / groups, kernel ...). Of an input's taps only every stride-th is at an output.
    """
    kernel = math.prod(shape[2:])
    return float(shape[1] * kernel), shape[0] / groups * kernel / steps


def is_depthwise(shape: tuple[int, ...], groups: int) -> bool:
    """Whether every channel has a group of its own; the weight is (out, in / groups, kernel ...)."""
    return groups > 1 and shape[1] == 1
