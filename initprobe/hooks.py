"""The only place that attaches to a model: it names call sites, and it always detaches.

Forward hooks on module instances see the outputs; gradients are taken from hooks on the output *tensors*, because
module backward hooks break in-place operations (pytorch#61519) and change what some modules compute (pytorch#139191).
"""

from __future__ import annotations

import dataclasses
import sys
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, Literal, NamedTuple

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from initprobe.errors import TargetError, first_line, user_trace
from initprobe.functions import Functions, is_opaque
from initprobe.module_state import ModuleState
from initprobe.process import observable, random_states, seed_all

Mode = Literal["train", "eval", "as-is"]

ROOT = "(model)"
"""The key of the model's own output."""

NO_HOOKS = "a ScriptModule takes no hooks"
TRANSFORMED = "inside a torch.func transform, it has no values of its own"
BUILT_ANEW = "the forward builds it itself, anew in every pass"
OUT_OF_SIGHT = frozenset([NO_HOOKS, TRANSFORMED, BUILT_ANEW])
"""Reasons for which a computation was not seen at all; the others are about values that have no statistics."""

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
        operation: short name of the operation inside the module that made the tensor (``add``); None for the module's
            own output.
        call: key of the call that the operation belongs to.
    """

    key: str
    path: str
    module: nn.Module
    tensor: torch.Tensor
    alias_of: str | None = None
    args: tuple[Any, ...] = ()
    operation: str | None = None
    call: str = ""


def tensors_in(value: object) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors inside an output, each with its place in it (``""``, ``[1]``, ``[last_hidden_state]``).

    Looks into tuples, lists, mappings (a transformers ``ModelOutput`` is one) and dataclasses, a few levels down.
    Attributes of other objects count where there is nothing else: a cache beside an output is no output.
    """
    if isinstance(value, torch.Tensor):
        yield "", value
        return
    found = list(_tensors_in(value, _items, _DEPTH, frozenset()))
    yield from found or _tensors_in(value, _items_and_attributes, _DEPTH, frozenset())


_Opener = Callable[[object], Iterable[tuple[object, object]]]


def _tensors_in(
    value: object, opened: _Opener, depth: int, around: frozenset[int]
) -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        yield "", value
    elif depth > 0 and id(value) not in around:
        for place, item in opened(value):
            for suffix, tensor in _tensors_in(item, opened, depth - 1, around | {id(value)}):
                yield f"[{place}]{suffix}", tensor


def _items(value: object) -> Iterator[tuple[object, object]]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, (tuple, list, deque)):
        yield from enumerate(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield field.name, getattr(value, field.name, None)


def _items_and_attributes(value: object) -> list[tuple[object, object]]:
    """Modules and other code are no containers, and what Python brings along has no attributes of interest."""
    found = list(_items(value))
    if found or callable(value) or type(value).__module__ == "builtins":
        return found
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()) if hasattr(value, name)]
    return [*getattr(value, "__dict__", {}).items(), *((name, getattr(value, name)) for name in slots)]


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
        steps: what each call did, in order: names of operations and paths of the modules it called.
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
        self.steps: dict[str, list[str]] = {}
        self.functions = Functions(self.show)
        self._names = frozenset(self.paths.values())
        self._on_visit = on_visit
        self._holder: dict[int, tuple[weakref.ref[torch.Tensor], int, str]] = {}
        self._running: list[tuple[nn.Module, str, bool]] = []
        self._entered: Counter[str] = Counter()
        self._shown: Counter[str] = Counter()

    def __deepcopy__(self, memo: dict[int, Any]) -> Watch:
        """Itself: a forward that copies a module copies its hooks, and through them all that they hold."""
        return self

    def enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:  # noqa: ARG002 - a hook gets them
        """The hook in front of a module, where operations are shown too: they are named by the call they belong to."""
        path = self.paths.get(id(module))
        if path is None or torch._C._current_graph_task_id() != -1:
            return
        self._entered[path] += 1
        calls = self._entered[path]
        self._note(path)
        self._running.append((module, (path or ROOT) + (f"#{calls}" if calls > 1 else ""), self.functions.hidden))
        self.functions.hidden = self.functions.hidden or is_opaque(module)

    def show(self, name: str, tensor: torch.Tensor) -> None:
        """An operation between modules has made a tensor."""
        if torch._C._current_graph_task_id() != -1 or torch._C._functorch.peek_interpreter_stack() is not None:
            return
        module, call, _ = self._running[-1] if self._running else (self.modules[0][1], ROOT, False)
        self._note(name)
        key = f"{call}/{name}"
        if key in self._names:
            key = f"{call}//{name}"  # a module may have any name but one with a dot
        self._shown[key] += 1
        if self._shown[key] > 1:
            key = f"{key}#{self._shown[key]}"
        # What is done with the tensor is none of the model's operations.
        with torch._C.DisableTorchFunction():
            if unmeasurable(tensor) is None:
                path = self.paths[id(module)]
                self._on_visit(Visit(key, path, module, tensor, self._same_as(key, tensor), (), name, call))

    def _note(self, step: str) -> None:
        self.steps.setdefault(self._running[-1][1] if self._running else ROOT, []).append(step)

    def leave(self, module: nn.Module, args: tuple[Any, ...], output: object) -> None:
        """The forward hook. It answers None: anything else would replace the output."""
        # Activation checkpointing runs the forward a second time inside the backward pass (pytorch#81296).
        if torch._C._current_graph_task_id() != -1:
            return
        path = self.paths.get(id(module))
        if path is None:
            return  # a copy of a module takes its hooks along
        self._close(module)
        if output is None and sys.exc_info()[0] is not None:
            return  # it failed; whoever called it may catch that
        # What is done with the output is none of the model's operations.
        with torch._C.DisableTorchFunction():
            self._visit(module, path, args, output)

    def _visit(self, module: nn.Module, path: str, args: tuple[Any, ...], output: object) -> None:
        calls = self.called[path] = self.called.get(path, 0) + 1
        stem = (path or ROOT) + (f"#{calls}" if calls > 1 else "")
        if torch._C._functorch.peek_interpreter_stack() is not None:
            self.unseen[stem] = TRANSFORMED
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

    def _close(self, module: nn.Module) -> None:
        """The call is over, and with it those inside that an exception ended and the model caught."""
        for place in range(len(self._running) - 1, -1, -1):
            if self._running[place][0] is module:
                self.functions.hidden = self._running[place][2]
                del self._running[place:]
                return

    def _same_as(self, key: str, tensor: torch.Tensor) -> str | None:
        """A container hands out its last child's tensor: the same object in the same version is one value."""
        known = self._holder.get(id(tensor))
        version = 0 if tensor.is_inference() else tensor._version
        if known is not None and known[0]() is tensor and known[1] == version:
            return known[2]
        self._holder[id(tensor)] = (weakref.ref(tensor), version, key)
        return None

    def newcomers(self, model: nn.Module) -> list[str]:
        """Paths of the modules that were not there before the pass."""
        children = (child for _, module in self.modules for child in module._modules.values() if child is not None)
        if all(id(child) in self.paths for child in children):
            return []
        return [path for path, module in model.named_modules() if id(module) not in self.paths]

    def uncalled(self) -> tuple[str, ...]:
        """Paths of the leaf modules that never ran."""
        return tuple(path for path in self.leaves if path not in self.called)


@contextmanager
def watching(model: nn.Module, on_visit: Callable[[Visit], None], *, operations: bool = False) -> Iterator[Watch]:
    """Call ``on_visit`` for every float tensor that leaves a module, in the order in which the calls return.

    Args:
        model: the module to be run inside.
        on_visit: gets the tensors.
        operations: whether the operations between modules are shown too (``initprobe/functions.py``).
    """
    watch = Watch(model, on_visit)
    handles: list[RemovableHandle] = []
    try:
        for _, module in watch.modules:
            if isinstance(module, torch.jit.ScriptModule):
                watch.unseen[watch.paths[id(module)] or ROOT] = NO_HOOKS
            else:
                if operations:
                    handles.append(module.register_forward_pre_hook(watch.enter))
                handles.append(module.register_forward_hook(watch.leave, always_call=operations))
        with watch.functions if operations else nullcontext():
            yield watch
        for path in watch.newcomers(model):
            watch.unseen[path] = BUILT_ANEW
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def outputs_changed(modules: Iterable[nn.Module], change: Callable[[Any], Any]) -> Iterator[None]:
    """Let modules put out something else for a while: ``change`` gets what they put out."""
    handles = [module.register_forward_hook(lambda _module, _given, output: change(output)) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def undisturbed(model: nn.Module, *, mode: Mode, seed: int) -> Iterator[None]:
    """Run passes in ``mode`` under ``seed``, and leave no trace of them.

    Restores training flags and all other attributes of the modules (a forward may keep its last output), parameters,
    sub-modules, buffers and hooks that it adds or replaces, the values of the buffers, gradients, and the random states
    of torch, numpy and Python, also after an exception or Ctrl-C.

    Raises:
        TargetError: the model refuses the mode.
    """
    with observable():
        states = [ModuleState(module) for module in model.modules()]
        parameters = [one for state in states for one in state.module._parameters.values() if one is not None]
        # A backward of the model's own may call backward() and so write gradients that nobody asked for (Reformer's).
        gradients = [(parameter, parameter.grad) for parameter in parameters]
        devices = sorted({parameter.device.index or 0 for parameter in parameters if parameter.is_cuda})
        try:
            for parameter, gradient in gradients:
                if gradient is not None:
                    parameter.grad = None  # or they would be added to it
            # Whoever calls us may have switched gradients off.
            with random_states(devices), torch.inference_mode(mode=False), torch.enable_grad():
                # A module may have its own idea of train(), so it is called, but only where something would change.
                if mode != "as-is" and any(state.training != (mode == "train") for state in states):
                    _switch(model, mode)
                seed_all(seed, devices)
                yield
        finally:
            for state in states:
                state.restore()
            for parameter, gradient in gradients:
                parameter.grad = gradient


def _switch(model: nn.Module, mode: Mode) -> None:
    try:
        model.train(mode == "train")
    except Exception as error:
        raise TargetError(
            f"the model cannot be put into {mode} mode: {first_line(error)}",
            hint="--mode as-is measures it in the mode that it is in",
            trace=user_trace(error),
        ) from error
