"""The network under the probe: the last object that holds tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import torch
from torch import nn

from initprobe.errors import TargetError, UsageError, first_line, raised_here, user_trace
from initprobe.records import Location

Loss = Callable[..., Any]
"""Takes the model's output, and ``labels=`` where the inputs bring some; should answer with a scalar tensor."""


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments of one call of the model; tensors carry the batch axis first.

    Attributes:
        args, kwargs: the arguments.
        labels: what the samples are to be taken for, a row each; the loss gets it, and the model does not.
    """

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    labels: torch.Tensor | None = None

    def changed(self, change: Callable[[str, torch.Tensor], torch.Tensor]) -> Call:
        """The call with every argument changed, tensors in tuples, lists and dicts too; each comes with its place.

        Places are ``0`` for the first argument, ``mask`` for the one of that name, ``0[1]`` inside of one.
        """
        args = tuple(_changed(str(place), value, change) for place, value in enumerate(self.args))
        return Call(args, {name: _changed(name, value, change) for name, value in self.kwargs.items()}, self.labels)


def _changed(place: str, value: Any, change: Callable[[str, torch.Tensor], torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        return change(place, value)
    if isinstance(value, dict):
        return {key: _changed(f"{place}[{key}]", item, change) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        items = [_changed(f"{place}[{index}]", item, change) for index, item in enumerate(value)]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value


class Inputs(Protocol):
    """Knows how to make a batch.

    Attributes:
        fixed: the batch size where the target brought its own tensors, None where any size can be drawn.
    """

    @property
    def fixed(self) -> int | None:
        """See the class."""
        ...

    def make(self, batch: int, seed: int, dtype: torch.dtype) -> Call:
        """A batch of that size for that seed, on the CPU.

        The same (seed, size, dtype) gives the same numbers, whatever else was drawn before; the global generators are
        not touched. Floating-point inputs come in ``dtype``, integer ones keep their own.
        """
        ...


@dataclass(slots=True)
class Subject:
    """One draw of a network, ready to be probed.

    Attributes:
        model: the module, on the device and in the dtype asked for.
        inputs: makes its batches.
        loss: the target's own loss function, None where it has none.
        locations: module path to the place where that module was built.
        layer_types: module path to the block type of the YAML language (``linear``), for specs only.
        notes: what a reader of the report must know about it.
        labelled: whether the inputs bring labels, which the loss then takes, too.
    """

    model: nn.Module
    inputs: Inputs
    loss: Loss | None = None
    locations: Mapping[str, Location] = field(default_factory=dict)
    layer_types: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    labelled: bool = False

    def call(self, batch: int, seed: int) -> Call:
        """A batch on the model's device; floating-point inputs come in the parameters' dtype."""
        reference = next((p for p in self.model.parameters() if p.is_floating_point()), torch.empty(0))
        try:
            made = self.inputs.make(batch, seed, reference.dtype)
        except (RuntimeError, MemoryError) as error:
            if "allocate memory" not in str(error) and not isinstance(error, MemoryError):
                raise
            raise UsageError(f"a batch of {batch:,} does not fit into the memory", hint="lower --batch") from error
        moved = made.changed(lambda _place, tensor: tensor.to(reference.device))
        return moved if moved.labels is None else replace(moved, labels=moved.labels.to(reference.device))

    def loss_of(self, call: Call) -> Loss | None:
        """The loss of what the model makes of that call, which knows the labels of its samples."""
        return partial(self.loss, labels=call.labels) if self.labelled and self.loss is not None else self.loss


def run_model(model: nn.Module, call: Call) -> Any:
    """The model's output.

    Raises:
        TargetError: the forward failed, with the user's own frames.
    """
    try:
        return model(*call.args, **call.kwargs)
    except (Exception, SystemExit) as error:  # sys.exit(0) in a forward must not pass a check
        if raised_here(error):
            raise
        raise TargetError(
            f"the model's forward failed: {first_line(error)}",
            hint=_forward_hint(str(error)),
            trace=user_trace(error),
        ) from error


def _forward_hint(message: str) -> str | None:
    if "indices" in message and ("Long" in message or "long" in message or "integer" in message):
        return "token inputs are whole numbers: --input 'ids=int64[128]<50257'"
    if "Expected more than 1 value per channel" in message:
        return "batch normalization needs more than one sample: raise --batch"
    if "can't allocate memory" in message or "out of memory" in message:
        return "lower --batch"
    return None
