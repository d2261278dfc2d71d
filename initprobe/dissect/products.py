"""Weights that a signal is multiplied with: matrices and filters, with their fans."""

from __future__ import annotations

import math
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
    if product.layout == "in,out":
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


def einsum_uses(node: Node) -> Iterator[Use]:
    """The weight of an einsum with one weight and a signal, by the letters of its equation.

    What is summed over is the weight's input, what only the weight and the result have is its output; what all three
    have counts products that have nothing to do with each other.
    """
    equation, *given = node.args or (None,)
    factors = given[0] if len(given) == 1 and isinstance(given[0], tuple) else tuple(given)
    if not isinstance(equation, str) or "->" not in equation:
        return
    left, result = equation.replace(" ", "").replace("...", "").split("->")
    letters = left.split(",")
    weights = [(found, own) for one, own in zip(factors, letters, strict=False) if (found := operand_of(one))]
    if len(weights) != 1 or len(weights[0][0].shape) < 2 or not node.signals:
        return
    weight, own = weights[0]
    others = {letter for one, word in zip(factors, letters, strict=False) if operand_of(one) is None for letter in word}
    sizes = dict(zip(own, weight.shape, strict=False))
    summed = [letter for letter in own if letter not in result]
    made = [letter for letter in own if letter in result and letter not in others]
    if not summed or not made:
        return
    fans = float(math.prod(sizes[one] for one in summed)), float(math.prod(sizes[one] for one in made))
    axis = weight.axis(own.index(made[0])) if len(made) == 1 else None
    place = result.index(made[0]) - len(result) if len(made) == 1 else None
    yield Use(node, weight.parameter, "linear", *fans, axis, place)


def _matrix(node: Node, weight: Operand, *, into: int, out: int) -> Use:
    fan_in, fan_out = float(weight.shape[into]), float(weight.shape[out])
    return Use(node, weight.parameter, "linear", fan_in, fan_out, weight.axis(out), out)


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
