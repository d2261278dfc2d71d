"""Mean and variance of every value of a pass, derived operation by operation.

What has no formula (attention, pooling of correlated places, whatever a model makes up) is measured on the values of
the pass itself, which are what the layers before it make of the batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from initprobe.dissect.tape import Node, Tape
from initprobe.init.moment_rules import Moments, Step, derive, own_moments
from initprobe.operations import PRODUCTS, bind, name_of, short_name

Scale = Callable[[str, float], float | None]
"""Hears the name of a weight and the product of its fan and its input's second moment, before it is used; answers with
the variance that the weight has now, None where it is none of its weights."""


class Propagation(Tape):
    """A tape that derives moments while it records.

    Attributes:
        moments: by node; a node that is missing stands for no real numbers.
        measured: names of the functions whose moments were measured, in the order of their first call.
    """

    def __init__(self, model: nn.Module, scale: Scale = lambda _name, _product: None) -> None:
        super().__init__(model)
        self.moments: dict[Node, Moments] = {}
        self.measured: dict[str, None] = {}
        self._scale = scale

    def add_input(self, tensor: torch.Tensor) -> None:
        """Declare a tensor as the model's input; its moments are its own."""
        super().add_input(tensor)
        self._measure(self.node_of(tensor), tensor)

    def moments_of(self, tensor: torch.Tensor) -> Moments | None:
        """The moments of a tensor of the pass, measured where no operation of the pass made it."""
        node = self.node_of(tensor)
        if node not in self.moments and not node.inputs:
            self._measure(node, tensor)
        return self.moments.get(node)

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Derive the moments of a product before it is taken, so that the weight can be scaled; of others behind it."""
        kwargs = kwargs or {}
        name = name_of(function)
        expected = self._product(name, function, args, kwargs) if name in PRODUCTS else None
        known = len(self.nodes)
        output = super().__torch_function__(function, types, args, kwargs)
        made = {id(node): node for node in self.nodes[known:]}
        for tensor in output if isinstance(output, (tuple, list)) else (output,):
            if not isinstance(tensor, torch.Tensor) or id(node := self.node_of(tensor)) not in made:
                continue
            if not tensor.is_floating_point() or not tensor.numel():
                continue
            found = expected or self._derived(node, args, kwargs)
            if found is None or not (math.isfinite(found.mean) and math.isfinite(found.variance)):
                self._measure(node, tensor)
                if node.operand is None and not node.fixed:
                    self.measured.setdefault(short_name(name))
            else:
                sources = found.sources or self._sources(node)
                self.moments[node] = Moments(found.mean, found.variance, sources or frozenset([node.order]))
        return output

    def _product(
        self, name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Moments | None:
        """A signal times a weight that knows nothing of it: mean 0, and the products' variances add up."""
        operands = bind(PRODUCTS[name].operands, args, kwargs)
        signal, weight, bias = (operands.get(key) for key in ("input", "weight", "bias"))
        if not isinstance(signal, torch.Tensor) or not isinstance(weight, torch.Tensor):
            return None
        behind = self.node_of(weight).operand
        given = self.moments_of(signal)
        if behind is None or given is None or self.node_of(signal).operand is not None:
            return None
        fan = _fan(name, function, args, kwargs, signal, weight)
        own = frozenset([-1 - len(self.nodes)])  # nodes count from zero
        drawn = self._scale(behind.parameter, fan * given.second)
        shift = (0.0, 0.0) if not isinstance(bias, torch.Tensor) else own_moments(bias)
        if drawn is None:
            mean, variance = own_moments(weight)
            return Moments(
                fan * mean * given.mean + shift[0],
                fan * variance * given.second + shift[1],
                own,
            )
        return Moments(shift[0], fan * drawn * given.second + shift[1], own)

    def _derived(self, node: Node, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Moments | None:
        """The moments of what an operation made, None where no formula says."""
        before = tuple(self.moments.get(one) for one in node.inputs)
        return derive(Step(node, args, kwargs, before, self._operand)) if before else None

    def _operand(self, value: Any) -> Moments | None:
        if isinstance(value, torch.Tensor):
            return self.moments_of(value) if value.is_floating_point() else None
        return Moments(float(value), 0.0) if isinstance(value, (int, float)) else None

    def _sources(self, node: Node) -> frozenset[int]:
        found = [self.moments[one].sources for one in node.inputs if one in self.moments]
        return frozenset().union(*found) if found else frozenset()

    def _measure(self, node: Node, tensor: torch.Tensor) -> None:
        if not tensor.is_floating_point() or not tensor.numel() or tensor.layout is not torch.strided:
            return
        sources = self._sources(node) if node.inputs else frozenset()
        constant = node.operand is not None or node.fixed
        self.moments[node] = Moments(
            *own_moments(tensor), frozenset() if constant else sources or frozenset([node.order])
        )


def _fan(
    name: str,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    signal: torch.Tensor,
    weight: torch.Tensor,
) -> float:
    """How many products one output sums, on average over places: what zero padding adds is nothing.

    Of a convolution it is what it makes of ones.
    """
    product = PRODUCTS[name]
    if product.layout in {"out,in", "in,out"}:
        return float(signal.shape[-1])
    given = bind(product.operands, args, kwargs)
    few = signal[:1] if signal.dim() == weight.dim() else signal
    ones = {**given, "input": torch.ones_like(few), "weight": torch.ones_like(weight), "bias": None}
    made: torch.Tensor = function(*ones.values()) if not kwargs else function(**ones)
    return float(made.double().mean())
