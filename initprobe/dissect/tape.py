"""One traced pass: every torch function that touched a tensor, with what it was made from.

A function mode sees what modules hide (``F.relu``, ``x + y``, ``x @ W``), also where no gradient flows and where
parameters are frozen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from initprobe.activations.base import ACTIVATIONS
from initprobe.operations import CONSTANTS, Effect, activation_functions, bind, effect_of, name_of
from initprobe.records import ActivationUse


@dataclass(frozen=True, slots=True)
class Operand:
    """A parameter as one operation uses it.

    Attributes:
        parameter: its name.
        full: its own shape.
        shape: shape of the operand.
        axes: which axis of the parameter each axis of the operand is, None where they do not correspond.
    """

    parameter: str
    full: tuple[int, ...]
    shape: tuple[int, ...]
    axes: tuple[int, ...] | None

    def axis(self, place: int) -> int | None:
        """The axis of the parameter that the operand has at ``place``."""
        return None if self.axes is None else self.axes[place]


@dataclass(eq=False, slots=True)
class Node:
    """One value of the pass and the call that made it.

    Attributes:
        order: position among all nodes, from 0; what a node is made from comes before it.
        name: qualified name of the function, ``input``, ``parameter`` or ``constant``.
        effect: what the function does to a signal.
        inputs: the tensors it was made from, in argument order.
        shape: of the value.
        args, kwargs: the call's arguments, tensors replaced by their nodes.
        fixed: whether it was made of constants alone.
        operand: the parameter behind this value, None where a signal had a part in it.
        activation: the activation with its options, for effect ``activation``.
        consumers: the nodes made from it.
        function: what was called, None where nothing was.
        place: which of the call's outputs it is.
    """

    order: int
    name: str
    effect: Effect = "other"
    inputs: tuple[Node, ...] = ()
    shape: tuple[int, ...] = ()
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    fixed: bool = False
    operand: Operand | None = None
    activation: ActivationUse | None = None
    consumers: list[Node] = field(default_factory=list)
    function: Callable[..., Any] | None = None
    place: int = 0

    @property
    def signal(self) -> Node | None:
        """Where the signal came from: the first input that is neither parameter nor constant, if there is one."""
        return next(iter(self.signals or (node for node in self.inputs if node.operand is None)), None)

    @property
    def signals(self) -> tuple[Node, ...]:
        """The inputs that an input of the model had a part in."""
        return tuple(node for node in self.inputs if node.operand is None and not node.fixed)

    def back(self, *effects: Effect) -> Node:
        """The nearest value behind this one that was not made by one of ``effects``."""
        node = self
        while node.effect in effects and node.signal is not None:
            node = node.signal
        return node


_TRANSPOSING = {"t", "T.__get__", "mT.__get__", "transpose", "permute", "swapaxes", "movedim"}


class Tape(TorchFunctionMode):
    """Records while it is active. Tensors are held, so that their identities stay theirs: trace a small batch.

    Attributes:
        nodes: everything recorded, in order.
        bytes: size of all values that functions made, views not counted.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        self.bytes = 0
        self._recording = True
        self._of: dict[int, Node] = {}
        self._held: list[torch.Tensor] = []
        for name, parameter in model.named_parameters():
            shape = _shape(parameter)
            whole = Operand(name, shape, shape, tuple(range(len(shape))))
            self._bind(parameter, self._new("parameter", shape=shape, operand=whole))

    def add_input(self, tensor: torch.Tensor) -> None:
        """Declare a tensor as the model's input."""
        self._bind(tensor, self._new("input", shape=_shape(tensor)))

    def node_of(self, tensor: torch.Tensor) -> Node:
        """The node of a tensor; one that no recorded function made is a constant."""
        node = self._of.get(id(tensor))
        if node is None:
            node = self._new("constant", shape=_shape(tensor), fixed=True)
            self._bind(tensor, node)
        return node

    def tensor_of(self, node: Node) -> torch.Tensor:
        """The tensor that a node stands for, as it is now."""
        return self._held[node.order]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What torch does inside is not the model's."""
        self._recording = False
        try:
            yield
        finally:
            self._recording = True

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run the function, then write down what it made and from what."""
        kwargs = kwargs or {}
        output = function(*args, **kwargs)
        if not self._recording:
            return output
        made = list(_tensors(output))
        name = name_of(function)
        if not made and name != "torch.Tensor.__setitem__":
            return output
        # In-place assignment answers None; what it changed is its first argument.
        for place, tensor in enumerate(made or [args[0]]):
            node = self._record(name, args, kwargs, tensor)
            if node is not None:
                node.function, node.place = function, place
        return output

    def _record(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], made: torch.Tensor) -> Node | None:
        known = self._of.get(id(made))
        inputs = tuple(self.node_of(tensor) for tensor in _tensors((args, kwargs)))
        if known is not None and known not in inputs:
            return None  # an attribute such as ``.data`` or ``.grad`` that hands out a tensor known already
        effect = effect_of(name)
        node = self._new(name, effect=effect, inputs=inputs, shape=_shape(made))
        if effect == "scale" and len(node.signals) != 1:
            node.effect = "other"
        if effect == "sum" and len(inputs) < 2:
            node.effect = "pass"
        node.args, node.kwargs = self._nodes_in(args), self._nodes_in(kwargs)
        node.fixed = all(source.fixed for source in inputs) if inputs else name in CONSTANTS
        node.operand = operand(node)
        if effect == "activation":
            node.activation = _activation(name, args, kwargs)
        for source in dict.fromkeys(inputs):
            source.consumers.append(node)
        if effect != "view" and not made.is_nested and made.layout is torch.strided:
            self.bytes += made.numel() * made.element_size()
        self._bind(made, node)
        return node

    def _nodes_in(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return self.node_of(value)
        if isinstance(value, (tuple, list)):
            return tuple(self._nodes_in(item) for item in value)
        if isinstance(value, dict):
            return {key: self._nodes_in(item) for key, item in value.items()}
        return value

    def _new(self, name: str, **attributes: Any) -> Node:
        node = Node(len(self.nodes), name, **attributes)
        self.nodes.append(node)
        return node

    def _bind(self, tensor: torch.Tensor, node: Node) -> None:
        self._of[id(tensor)] = node
        self._held.append(tensor)


def operand(node: Node) -> Operand | None:
    """The parameter behind a value, followed through views and through functions of parameters alone."""
    if node.effect == "view":
        source = node.inputs[0].operand
        # Spread over the samples, a parameter (a class token, a learned query) becomes a signal.
        if source is None or math.prod(source.shape) != math.prod(node.shape):
            return None
        return replace(source, shape=node.shape, axes=_permuted(node, source))
    if node.name == "torch.Tensor.__getitem__" and node.inputs[0].operand is not None:
        chosen = _chosen(node, node.inputs[0].operand)
        if chosen is not None:
            return chosen
    behind = [source.operand for source in node.inputs if not source.fixed]
    made_of_parameters = [found for found in behind if found is not None]
    if not behind or len(made_of_parameters) != len(behind) or node.effect == "embedding":
        return None
    # A reparametrized weight (weight norm, spectral norm) stands for the parameter of its own shape.
    best = max(made_of_parameters, key=lambda found: (len(found.shape) == len(node.shape), math.prod(found.shape)))
    return replace(best, shape=node.shape, axes=best.axes if len(best.shape) == len(node.shape) else None)


def _chosen(node: Node, source: Operand) -> Operand | None:
    """One matrix, or one per sample, of a stack of them (the experts of a mixture), whatever chose it."""
    rank = len(node.shape)
    if len(source.shape) < 3 or rank < 2 or node.shape[-2:] != source.shape[-2:]:
        return None
    axes = None if source.axes is None else (source.axes[0],) * (rank - 2) + source.axes[-2:]
    return replace(source, shape=node.shape, axes=axes)


def _permuted(node: Node, source: Operand) -> tuple[int, ...] | None:
    if _short(node) not in _TRANSPOSING:
        if node.shape == source.shape:
            return source.axes
        return tuple(range(len(node.shape))) if node.shape == source.full else None
    order = axis_order(node, len(source.shape))
    return None if source.axes is None or order is None else tuple(source.axes[n] for n in order)


def _short(node: Node) -> str:
    return node.name.removeprefix("torch.Tensor.").removeprefix("torch.")


def axis_order(node: Node, rank: int) -> list[int] | None:
    """Which axis of its input each axis of a value is; None where no transposing view made it, or nothing tells."""
    short = _short(node)
    if short not in _TRANSPOSING:
        return None
    numbers = [value for value in (*node.args[1:], *node.kwargs.values()) if not isinstance(value, Node)]
    flat = [int(n) for value in numbers for n in (value if isinstance(value, tuple) else (value,))]
    if short == "permute":
        return [axis % rank for axis in flat] if len(flat) == rank else None
    if short in {"t", "T.__get__", "mT.__get__"}:
        flat = [rank - 2, rank - 1]
    if short == "movedim" or len(flat) != 2:
        return None
    order = list(range(rank))
    if rank > 1:
        order[flat[0]], order[flat[1]] = order[flat[1]], order[flat[0]]
    return order


def _shape(tensor: torch.Tensor) -> tuple[int, ...]:
    return () if tensor.is_nested else tuple(tensor.shape)


def _tensors(value: object, depth: int = 4) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif depth and isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item, depth - 1)
    elif depth and isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item, depth - 1)


def _activation(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> ActivationUse:
    """The activation with those options that differ from its defaults."""
    leaf_name, parameters = activation_functions()[name]
    given = bind(parameters, args, kwargs)
    options = []
    for option, default in ACTIVATIONS.find(leaf_name).options.items():
        value = given.get(option, default)
        if isinstance(value, bool) or not isinstance(value, (int, float, str)) or value == default:
            continue
        options.append((option, value if isinstance(value, str) else float(value)))
    return ActivationUse(leaf_name, tuple(options))
