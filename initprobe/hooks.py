"""The only place that attaches to a model: it names call sites, and it always detaches.

Forward hooks on module instances see the outputs; gradients are taken from hooks on the output *tensors*, because
module backward hooks break in-place operations (pytorch#61519) and change what some modules compute (pytorch#139191).
"""

from __future__ import annotations

import dataclasses
import random
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import nn

Mode = Literal["train", "eval", "as-is"]

ROOT = "(model)"
"""The key of the model's own output."""

_HOOKS = (
    "_forward_hooks",
    "_forward_hooks_always_called",
    "_forward_hooks_with_kwargs",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
)
_DEPTH = 8
_PLAIN = (torch.Tensor, nn.Parameter)
_FLOATS = frozenset([torch.float32, torch.float64, torch.float16, torch.bfloat16])


class Visit(NamedTuple):
    """One float tensor that left one call of one module.

    Attributes:
        key: unique among the visits of a pass: path, ``#2`` for the second call, ``[1]`` for the second tensor.
        path: the module's first name; empty for the model itself.
        module: the module.
        tensor: its output, as it is now: later in-place operations may overwrite it.
        alias_of: key of the visit that saw the very same tensor before, or None.
        args: the positional arguments of the call, likewise.
    """

    key: str
    path: str
    module: nn.Module
    tensor: torch.Tensor
    alias_of: str | None = None
    args: tuple[Any, ...] = ()


def tensors_in(value: object, *, depth: int = _DEPTH) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors inside an output, each with its place in it (``""``, ``[1]``, ``[last_hidden_state]``).

    Looks into tuples, lists, mappings (a transformers ``ModelOutput`` is one) and dataclasses, ``depth`` levels down.
    """
    if isinstance(value, torch.Tensor):
        yield "", value
    elif depth > 0:
        for place, item in _items(value):
            for suffix, tensor in tensors_in(item, depth=depth - 1):
                yield f"[{place}]{suffix}", tensor


def _items(value: object) -> Iterator[tuple[object, object]]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, (tuple, list)):
        yield from enumerate(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield field.name, getattr(value, field.name, None)


def unmeasurable(tensor: torch.Tensor) -> str | None:
    """Why statistics of a tensor make no sense or cannot be taken, None when they can."""
    plain = type(tensor) in _PLAIN and tensor.dtype in _FLOATS and tensor.is_cpu
    if plain and tensor.layout is torch.strided and not tensor.is_nested:
        return None if tensor.numel() else "empty tensor"  # the common case first: this is asked of every output
    reasons = (
        (tensor.is_nested, "nested tensor"),
        (tensor.layout is not torch.strided, f"{str(tensor.layout).removeprefix('torch.')} layout"),
        (tensor.is_quantized, "quantized tensor"),
        (tensor.is_meta, "meta tensor, it has no values"),
        (not (tensor.is_floating_point() or tensor.is_complex()), f"{str(tensor.dtype).removeprefix('torch.')} values"),
    )
    return next((reason for applies, reason in reasons if applies), None if tensor.numel() else "empty tensor")


class Watch:
    """What the hooks of one pass have seen so far.

    Attributes:
        modules: every distinct module with its first path, as they were before the pass.
        leaves: paths of the modules without children.
        called: paths of the modules that ran, with the number of calls.
        unseen: keys of outputs that hold no measurable tensor, with the reason.
    """

    def __init__(self, model: nn.Module, on_visit: Callable[[Visit], None]) -> None:
        self.modules = list(model.named_modules())
        self.paths = {id(module): path for path, module in self.modules}
        self.leaves = tuple(
            path
            for path, module in self.modules
            if not module._modules and not isinstance(module, torch.jit.ScriptModule)
        )
        self.called: dict[str, int] = {}
        self.unseen: dict[str, str] = {}
        self._on_visit = on_visit
        self._holder: dict[int, tuple[weakref.ref[torch.Tensor], int, str]] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> Watch:
        """Itself: a forward that copies a module copies its hooks, and through them all that they hold."""
        return self

    def leave(self, module: nn.Module, args: tuple[Any, ...], output: object) -> None:
        """The forward hook. It answers None: anything else would replace the output."""
        # Activation checkpointing runs the forward a second time inside the backward pass (pytorch#81296).
        if torch._C._current_graph_task_id() != -1:
            return
        path = self.paths.get(id(module))
        if path is None:
            return  # a copy of a module takes its hooks along
        calls = self.called[path] = self.called.get(path, 0) + 1
        stem = (path or ROOT) + (f"#{calls}" if calls > 1 else "")
        if torch._C._functorch.peek_interpreter_stack() is not None:
            self.unseen[stem] = "inside a torch.func transform, it has no values of its own"
            return
        found = [("", output)] if isinstance(output, torch.Tensor) else list(tensors_in(output))
        if not found:
            self.unseen[stem] = f"no tensor in an output of type {type(output).__name__}"
        for place, tensor in found:
            key = stem if len(found) == 1 else stem + place
            reason = unmeasurable(tensor)
            if reason is not None:
                self.unseen[key] = reason
                continue
            self._on_visit(Visit(key, path, module, tensor, self._same_as(key, tensor), args))

    def _same_as(self, key: str, tensor: torch.Tensor) -> str | None:
        """A container hands out its last child's tensor: the same object in the same version is one value."""
        known = self._holder.get(id(tensor))
        version = 0 if tensor.is_inference() else tensor._version
        if known is not None and known[0]() is tensor and known[1] == version:
            return known[2]
        self._holder[id(tensor)] = (weakref.ref(tensor), version, key)
        return None

    def uncalled(self) -> tuple[str, ...]:
        """Paths of the leaf modules that never ran."""
        return tuple(path for path in self.leaves if path not in self.called)


@contextmanager
def watching(model: nn.Module, on_visit: Callable[[Visit], None]) -> Iterator[Watch]:
    """Call ``on_visit`` for every float tensor that leaves a module, in the order in which the calls return."""
    watch = Watch(model, on_visit)
    with ExitStack() as stack:
        for _, module in watch.modules:
            if isinstance(module, torch.jit.ScriptModule):
                watch.unseen[watch.paths[id(module)] or ROOT] = "a ScriptModule takes no hooks"
            else:
                stack.callback(module.register_forward_hook(watch.leave).remove)
        yield watch
        for path, module in model.named_modules():
            if id(module) not in watch.paths:
                watch.unseen[path] = "the forward builds it itself, anew in every pass"


@contextmanager
def undisturbed(model: nn.Module, *, mode: Mode, seed: int) -> Iterator[None]:
    """Run passes in ``mode`` under ``seed``, and leave no trace of them.

    Restores training flags and all other attributes of the modules (a forward may keep its last output), parameters,
    sub-modules, buffers and hooks that it adds or replaces, the values of the buffers, gradients, and the random states
    of torch, numpy and Python, also after an exception or Ctrl-C.
    """
    states = [_ModuleState(module) for module in model.modules()]
    # A backward of the model's own may call backward() and so write gradients that nobody asked for (Reformer's does).
    gradients = [(parameter, parameter.grad) for parameter in model.parameters()]
    fastpath = torch.backends.mha.get_fastpath_enabled()
    try:
        # Whoever calls us may have switched gradients off.
        with _random_states(model) as devices, torch.inference_mode(mode=False), torch.enable_grad():
            # The fused path of TransformerEncoder skips the sub-modules that are to be seen (pytorch#132700).
            torch.backends.mha.set_fastpath_enabled(False)
            # A module may have its own idea of train(), so it is called, but only where something would change.
            if mode != "as-is" and any(state.training != (mode == "train") for state in states):
                model.train(mode == "train")
            _seed_all(seed, devices)
            for parameter, gradient in gradients:
                if gradient is not None:
                    parameter.grad = None
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fastpath)
        for parameter, gradient in gradients:
            if parameter.grad is not gradient:
                parameter.grad = gradient
        for state in states:
            state.restore()


@contextmanager
def parameters_restored(model: nn.Module) -> Iterator[None]:
    """Whatever is written into the parameters inside is undone at the end."""
    saved = [(parameter, parameter.detach().clone()) for parameter in model.parameters()]
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, values in saved:
                parameter.copy_(values)


class _ModuleState:
    """What one module holds, one level deep, and the values of its buffers."""

    __slots__ = ("attributes", "buffers", "members", "module", "training")

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.attributes = dict(vars(module))
        self.training = module.training
        # A forward may add hooks, too (transformers does, to hand out hidden states).
        hooks = (vars(module).get(name) for name in _HOOKS)
        members: tuple[Any, ...] = (module._parameters, module._modules, module._buffers, *hooks)
        # Those of a ScriptModule are no dictionaries, and nothing can be added to them.
        self.members = [(held, held.copy()) for held in members if isinstance(held, dict)]
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
        if "training" not in self.attributes:
            self.module.training = self.training
        for buffer, values in self.buffers:
            if buffer.shape != values.shape:
                buffer.data = values
                continue
            with torch.no_grad():
                buffer.copy_(values)


@contextmanager
def _random_states(model: nn.Module) -> Iterator[list[int]]:
    devices = sorted({parameter.device.index or 0 for parameter in model.parameters() if parameter.is_cuda})
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 the legacy state is the global one
    try:
        with torch.random.fork_rng(devices=devices, enabled=True):
            yield devices
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def _seed_all(seed: int, devices: list[int]) -> None:
    # torch.manual_seed would seed every accelerator, the first time it is used at the latest.
    torch.default_generator.manual_seed(seed)
    for device in devices:
        torch.cuda.default_generators[device].manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
