"""What a network costs, found out on the meta device, where nothing is allocated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from initprobe.load.blocks.base import Branch, Incoming, Layer, Misfit, Signal
from initprobe.load.limits import SMALLEST_BATCH


@dataclass(frozen=True, slots=True)
class Cost:
    """What a layer takes: scalar parameters, bytes of parameters and buffers, numbers it puts out for one sample."""

    parameters: int = 0
    weights: int = 0
    outputs: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.parameters + other.parameters, self.weights + other.weights, self.outputs + other.outputs)

    def beyond(self, inside: Cost) -> Cost:
        """What remains of it for parameters that no layer inside has."""
        return Cost(max(0, self.parameters - inside.parameters), max(0, self.weights - inside.weights))

    @property
    def memory(self) -> int:
        """Bytes in the smallest batch."""
        return self.weights + 4 * SMALLEST_BATCH * self.outputs


class Undrawn(TorchFunctionMode):
    """Skips what constructors draw: there is nothing to write to, and torch would load its compiler to find out."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in ("normal_", "uniform_"):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


class Survey:
    """Builds and runs every layer on the meta device, once for each shape that reaches it, and notes what it costs."""

    def __init__(self) -> None:
        self.seen: dict[tuple[int, Signal, Signal | None], tuple[Branch, Cost]] = {}
        self.costs: dict[str, Cost] = {}

    def make(self, layer: Layer, incoming: Incoming, path: str) -> Branch:
        """The layer and what leaves it; its cost is noted under the path."""
        key = (id(layer), incoming.signal, incoming.memory)
        if key not in self.seen:
            before = len(self.costs)
            built = layer.build(incoming)
            branch = built if isinstance(built, Branch) else run_on_meta(built, incoming.signal)
            if len(self.costs) > before:
                inside = sum(list(self.costs.values())[before:], start=Cost())
                self.costs[path] = cost_of(branch.module, once=False).beyond(inside)
                return branch
            self.seen[key] = branch, cost_of(branch.module) + Cost(outputs=math.prod(branch.signal.shape))
        branch, self.costs[path] = self.seen[key]
        return branch


def run_on_meta(module: nn.Module, signal: Signal) -> Branch:
    """What leaves a module on the meta device."""
    dtype = torch.float32 if signal.vocab is None else torch.int64
    output = module(torch.empty((SMALLEST_BATCH, *signal.shape), dtype=dtype))
    if not isinstance(output, torch.Tensor) or output.shape[:1] != (SMALLEST_BATCH,):
        raise Misfit("does not keep the samples of a batch apart")
    return Branch(module, Signal(tuple(output.shape[1:]), None if output.is_floating_point() else signal.vocab))


def cost_of(module: nn.Module, *, once: bool = True) -> Cost:
    """What the parameters and buffers of a module take.

    Args:
        module: it and everything in it counts.
        once: whether what stands in several places counts once; on the meta device, one module stands for its copies.
    """
    parameters = [tensor for _, tensor in module.named_parameters(remove_duplicate=once)]
    buffers = [tensor for _, tensor in module.named_buffers(remove_duplicate=once)]
    weights = sum(tensor.nbytes for tensor in (*parameters, *buffers))
    return Cost(sum(tensor.numel() for tensor in parameters), weights)
