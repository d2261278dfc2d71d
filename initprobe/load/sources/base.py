"""What a source is: it opens one kind of reference, and what it opens can be built once per seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from initprobe.errors import TargetError, UsageError
from initprobe.load.factory import Factory
from initprobe.load.importing import find_object, roots_of
from initprobe.load.inputs import FLOATS, DrawnInputs, FunctionInputs, GivenInputs, as_call, parse_input
from initprobe.load.keras_model import KerasNetwork, declared_inputs
from initprobe.load.reference import parse_reference
from initprobe.load.usercode import running
from initprobe.records import ProbeRequest, TargetRequest
from initprobe.registry import Registry
from initprobe.subject import Inputs, Subject


class Target(Protocol):
    """A network that was found and can be built."""

    @property
    def name(self) -> str:
        """Short name for tables (``net.py:build(depth=50)``, or the spec's name)."""
        ...

    @property
    def one_draw(self) -> bool:
        """Whether its weights are a single draw (an instance, a checkpoint), whatever seed is asked for."""
        ...

    @property
    def sections(self) -> Any:
        """What a spec says besides its model (``load.schema.Sections``); None for targets that are no specs."""
        ...

    def build(self, seed: int, probe: ProbeRequest) -> Subject:
        """One draw, in ``probe.dtype`` (None keeps its own) on ``probe.device``, its inputs resolved.

        The global generators are as before afterwards; a model that existed before is not touched.

        Raises:
            TargetError: user code raised, or did not return a model.
            UsageError: nothing says what the input is, or the device is not there.
        """
        ...


Opener = Callable[[TargetRequest], Target]
"""``load.target.open_target``, handed to sources whose references lead to other targets (``model.target``)."""


def nothing(reference: str) -> bool:  # noqa: ARG001
    """Accepts no reference without a prefix."""
    return False


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of reference.

    Attributes:
        name: its prefix (``timm:resnet50``) and its name in lists.
        form: how a reference is written, for messages (``FILE.yaml``).
        open: ``open(reference, request, opener)`` with the reference as typed, less the prefix. ``request.text`` is the
            whole text.
        accepts: whether a text without prefix belongs to this source (``net.yaml``).
        code: whether it runs code that the reference names, which a file may do only where that is allowed.

    ``open`` raises ``UsageError`` for a reference that is badly written, ``TargetError`` for one that leads nowhere.
    """

    name: str
    form: str
    open: Callable[[str, TargetRequest, Opener], Target]
    accepts: Callable[[str], bool] = nothing
    code: bool = True


SOURCES: Registry[Source] = Registry("source", "initprobe.load.sources", "initprobe.sources")


def source(leaf: Source) -> Source:
    """Register a source; a leaf calls this once at module level."""
    SOURCES.add(leaf.name, leaf)
    return leaf


def _nothing_known(model: nn.Module) -> None:
    """The source knows no more than the model."""


@dataclass(frozen=True, slots=True)
class FactoryTarget:
    """A network that something builds anew for every seed.

    Attributes:
        name: short name for tables.
        factory: what builds it.
        inputs: what the command line says about inputs, None where it says nothing.
        known: what the source knows of the input of a finished model, where neither the command line nor the factory
            nor the model says anything.
    """

    name: str
    factory: Factory
    inputs: Inputs | None = None
    known: Callable[[nn.Module], Inputs | None] = _nothing_known
    one_draw: bool = False
    sections: None = None

    def build(self, seed: int, probe: ProbeRequest) -> Subject:
        """One draw; see ``Target``."""
        built = self.factory.build(seed)
        inputs = resolved_inputs(built.model, self.inputs or built.inputs, self.known)
        return Subject(placed(built.model, probe), inputs, built.loss, built.locations)


def placed(model: nn.Module, probe: ProbeRequest) -> nn.Module:
    """The model itself, moved to the dtype and the device of the probe; integer tensors keep their dtype.

    Raises:
        UsageError: there is no such device or dtype.
        TargetError: the model has parameters without data (meta device), or is a ScriptModule.
    """
    if probe.dtype is not None and probe.dtype not in FLOATS:
        raise UsageError(f"unknown dtype {probe.dtype!r}", hint=f"one of {', '.join(FLOATS)}")
    if probe.device.partition(":")[0] == "meta":
        raise UsageError("cannot use the device 'meta': a tensor there has a shape and no numbers")
    check_numbers(model)
    if probe.dtype is not None and isinstance(model, KerasNetwork):
        model.check_dtype(FLOATS[probe.dtype])
    try:
        device = torch.device(probe.device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"cannot use the device {probe.device!r}: {reason}") from error
    return model.to(device, FLOATS[probe.dtype] if probe.dtype else None)


def check_numbers(model: nn.Module) -> None:
    """Make sure that a model's layers can be watched, and that its tensors hold numbers.

    Raises:
        TargetError: it is a ScriptModule, or a tensor of it is on the meta device.
    """
    if isinstance(model, torch.jit.ScriptModule):
        raise TargetError(
            "the model is a ScriptModule, whose layers nobody can watch",
            hint="name what builds the nn.Module that it was made from",
        )
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.is_meta:
            raise TargetError(
                f"{name!r} is on the meta device: it has a shape and no numbers",
                hint="build the model without torch.device('meta')",
            )


def requested_inputs(request: TargetRequest) -> Inputs | None:
    """What the command line says about inputs: ``--input``, then ``--batch-from``; None where it says nothing.

    Raises:
        UsageError: one of them is badly written.
        TargetError: the batch function cannot be imported.
    """
    if request.inputs:
        return DrawnInputs(tuple(parse_input(text) for text in request.inputs))
    if request.batch_from is None:
        return None
    reference = parse_reference(request.batch_from)
    if reference.called:
        raise UsageError(f"--batch-from names a function, without a call: {reference}")
    function = find_object(reference, request.paths)
    if not callable(function):
        raise TargetError(f"--batch-from {reference} is no function but {type(function).__name__}")
    return FunctionInputs(function, str(reference), roots_of(reference, request.paths))


def resolved_inputs(
    model: nn.Module, given: Inputs | None, known: Callable[[nn.Module], Inputs | None] = _nothing_known
) -> Inputs:
    """The inputs that were given, else the model's own, else what its source knows.

    A model's own are its ``example_input_array``, or what a Keras model declares.

    Raises:
        UsageError: nothing says what the input is; the message lists the ways.
        TargetError: ``example_input_array`` holds no tensor.
    """
    if given is not None:
        return given
    name = f"{type(model).__name__}.example_input_array"
    with running(name):
        example = getattr(model, "example_input_array", None)
    if example is not None:
        return GivenInputs(as_call(example, name))
    inputs = declared_inputs(model) or known(model)
    if inputs is not None:
        return inputs
    raise UsageError(
        f"nothing says what the input of {type(model).__name__} is",
        hint=f"--input {likely_input(model)}, or --batch-from pkg:fn, or let the factory return (model, inputs), "
        "or give the model an example_input_array",
    )


def likely_input(model: nn.Module, *, python: bool = False) -> str:
    """An ``--input`` that would suit the first layer with weights, or an ``inputs`` of the Python face."""
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            quote = '"' if python else "'"
            return f"{quote}int64[128]<{module.num_embeddings}{quote}"
        if isinstance(module, nn.Linear) and module.in_features:  # a lazy one has none yet
            return f"({module.in_features},)" if python else str(module.in_features)
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d) and module.in_channels:
            shape = [module.in_channels, *[32] * len(module.kernel_size)]
            return f"({', '.join(map(str, shape))})" if python else ",".join(map(str, shape))
    return "(3, 224, 224)" if python else "3,224,224"
