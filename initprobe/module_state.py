"""What a module holds before a pass, to be put back behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

_HOOKS = (
    "_forward_hooks",
    "_forward_hooks_always_called",
    "_forward_hooks_with_kwargs",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
)


class ModuleState:
    """What one module holds, one level deep, and the values of its buffers."""

    __slots__ = ("attributes", "buffers", "empty", "members", "module", "training")

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.attributes = dict(vars(module))
        self.training = module.training
        # A forward may add hooks, too (transformers does, to hand out hidden states).
        hooks = (self.attributes.get(name) for name in _HOOKS)
        members: tuple[Any, ...] = (module._parameters, module._modules, module._buffers, *hooks)
        # Those of a ScriptModule are no dictionaries, and nothing can be added to them. Most of the others are empty.
        self.members = [(held, dict(held)) for held in members if held and isinstance(held, dict)]
        self.empty = [held for held in members if not held and isinstance(held, dict)]
        self.buffers = [
            (buffer, buffer.detach().clone())
            for buffer in module._buffers.values()
            # Torch writes into no expanded tensor, and neither could we.
            if buffer is not None and (buffer.layout is not torch.strided or 0 not in buffer.stride())
        ]

    def restore(self) -> None:
        """Put everything back."""
        for held, saved in ((vars(self.module), self.attributes), *self.members):
            if held.keys() != saved.keys():
                for name in held.keys() - saved.keys():
                    del held[name]
            held.update(saved)
        for held in self.empty:
            held.clear()
        if "training" not in self.attributes:
            self.module.training = self.training
        for buffer, values in self.buffers:
            if buffer.shape != values.shape:
                buffer.data = values
                continue
            with torch.no_grad():
                buffer.copy_(values)


@contextmanager
def parameters_restored(model: nn.Module) -> Iterator[None]:
    """Whatever is written into the parameters inside is undone at the end."""
    saved = _saved(model)
    try:
        yield
    finally:
        _put_back(saved)


@contextmanager
def parameters_kept_on_failure(model: nn.Module) -> Iterator[None]:
    """Whatever is written into the parameters inside is undone if it ends with an exception, Ctrl-C included."""
    saved = _saved(model)
    try:
        yield
    except BaseException:
        _put_back(saved)
        raise


def shares_memory(tensor: torch.Tensor) -> bool:
    """Whether elements of a tensor lie in one place, as those of an expanded one: torch writes into no such tensor."""
    return any(step == 0 < extent - 1 for step, extent in zip(tensor.stride(), tensor.shape, strict=True))


def _saved(model: nn.Module) -> list[tuple[nn.Parameter, torch.Tensor]]:
    """The parameters that can be written, and what they hold."""
    there = [parameter for parameter in model.parameters() if not isinstance(parameter, UninitializedParameter)]
    return [(parameter, parameter.detach().clone()) for parameter in there if not shares_memory(parameter)]


def _put_back(saved: list[tuple[nn.Parameter, torch.Tensor]]) -> None:
    with torch.no_grad():
        for parameter, values in saved:
            parameter.copy_(values)
