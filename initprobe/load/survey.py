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
        self.seen: dict[tuple[int, Signal], tuple[Branch, Cost]] = {}
        self.costs: dict[str, Cost] = {}
        self.counted: set[nn.Module] = set()

    def make(self, layer: Layer, incoming: Incoming, path: str) -> Branch:
        """The layer and what leaves it; its cost is noted under the path."""
        key = (id(layer), incoming.signal)
        if key not in self.seen:
            before = len(self.costs)
            built = layer.build(incoming)
            branch = built if isinstance(built, Branch) else run_on_meta(built, incoming.signal)
            # Of a layer with layers inside, what it has besides them: the gate of a residual branch.
            own = [module for module in branch.module.modules() if module not in self.counted]
            self.counted.update(own)
            if len(self.costs) > before:
                self.costs[path] = sum((cost_of(module, recurse=False) for module in own), start=Cost())
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


def cost_of(module: nn.Module, *, recurse: bool = True) -> Cost:
    """What the parameters and buffers of a module take; its children's, too, unless they were counted themselves."""
    parameters = list(module.parameters(recurse))
    weights = sum(tensor.nbytes for tensor in (*parameters, *module.buffers(recurse)))
    return Cost(sum(tensor.numel() for tensor in parameters), weights)
