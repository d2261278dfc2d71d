"""Exported programs: what ``torch.export.save`` wrote, with its weights and its example inputs, in one ``.pt2`` file.

Loading one can run code. Torch falls back to the full pickle where the safe one refuses the example inputs, and reads
symbolic shapes with sympy, which evaluates them. So the file is code, and opened only where the command line allows it.
"""

from __future__ import annotations

import logging
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch._ops import OpOverload
from torch.export import ExportedProgram

from initprobe.errors import CodeNotAllowedError, TargetError, UsageError, first_line
from initprobe.load.files import check_fits_memory, existing_file
from initprobe.load.inputs import FLOATS, GivenInputs
from initprobe.load.signature import Signature, SignedInputs
from initprobe.load.sources.base import Opener, Source, Target, placed, requested_inputs, source
from initprobe.load.usercode import running
from initprobe.records import ProbeRequest, TargetRequest
from initprobe.subject import Call, Inputs, Subject

COPIES = 2
"""Torch reads the whole file and then makes the tensors."""

_MARK = "archive_format"
"""The entry of the archive that says ``pt2``."""
_SAVED = "write it with torch.export.save(torch.export.export(model, inputs), 'net.pt2')"
_LOGGERS = ("torch.export", "torch._export.serde.serialize")


@dataclass(frozen=True, slots=True)
class ExportedTarget:
    """An exported program: one draw, whose modules are put back into their hierarchy for every probe.

    Attributes:
        name: short name for tables.
        program: what was loaded; never written to.
        signature: what it takes.
        inputs: the command line's, held to the signature, or the program's own example.
    """

    name: str
    program: ExportedProgram
    signature: Signature
    inputs: Inputs
    one_draw: bool = True
    sections: None = None

    def build(self, seed: int, probe: ProbeRequest) -> Subject:  # noqa: ARG002 - the weights are what they are
        """The same weights for every seed; see ``sources.base.Target``."""
        self._check_placement(probe)
        with _quiet(), running(f"restoring the modules of {self.name}"):
            model = torch.export.unflatten(self.program)
        _name_classes(model, self.program)
        return Subject(placed(model, probe), self.inputs, notes=(*self._mode_notes(probe), *self._batch_notes()))

    def _check_placement(self, probe: ProbeRequest) -> None:
        """A dtype or a device that was written into the operations cannot be changed from outside."""
        found = set(_constants(self.program))
        wanted = FLOATS.get(probe.dtype or "")
        floats = {value for value in found if isinstance(value, torch.dtype) and value.is_floating_point}
        if wanted is not None and floats - {wanted}:
            raise UsageError(
                f"{self.name} names {_listed(floats)} in its operations and cannot run in {probe.dtype}",
                hint=f"leave --dtype, or export the model in {probe.dtype}",
            )
        devices = {value.type for value in found if isinstance(value, torch.device)}
        if devices - {probe.device.partition(":")[0]}:
            raise UsageError(
                f"{self.name} names the device {_listed(devices)} in its operations and cannot run on {probe.device}",
                hint=f"leave --device, or export the model on {probe.device}",
            )

    def _mode_notes(self, probe: ProbeRequest) -> Iterator[str]:
        flags = set(_training_flags(self.program))
        mode = "train" if True in flags else "eval"
        if len(flags) == 1 and probe.mode not in (mode, "as-is"):
            yield f"dropout and normalization run in {mode} mode: {self.name} was exported so, whatever --mode says"

    def _batch_notes(self) -> Iterator[str]:
        least, most = self.signature.batch
        fixed = self.inputs.fixed
        if isinstance(self.inputs, GivenInputs) and least != most:
            yield f"the batch of {fixed} is that of the example inputs; {self.signature.hint} draws what --batch says"
        elif fixed == 1:
            yield (
                f"{self.name} takes one sample at a time, from which little can be told of units and gradients: "
                "export it with more, or with a free batch axis (dynamic_shapes)"
            )


def open_exported(reference: str, request: TargetRequest, opener: Opener) -> Target:  # noqa: ARG001 - leads nowhere else
    """Load a program where that is allowed; see ``sources.base.Source``."""
    path = existing_file(reference, TargetError)
    if not request.allow_code:
        raise CodeNotAllowedError(
            f"{reference!r} is an exported program, and loading one can run code that it holds",
            hint="add --allow-code if you trust whoever wrote it",
        )
    _check_archive(path)
    check_fits_memory(path, TargetError, copies=COPIES)
    requested = requested_inputs(request)
    program = _loaded(path)
    signature = Signature.of(program, path.name)
    if requested is not None:
        return ExportedTarget(path.name, program, signature, SignedInputs(requested, signature))
    match program.example_inputs:
        case (tuple() | list() as args, dict() as kwargs):
            call = Call(tuple(args), kwargs)
        case _:
            raise UsageError(f"{reference!r} holds no example inputs", hint=signature.hint)
    signature.check(call)
    return ExportedTarget(path.name, program, signature, GivenInputs(call))


def _check_archive(path: Path) -> None:
    """Tell what is no exported program by its table of contents, in better words than torch has.

    Raises:
        TargetError: it is none.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, zipfile.BadZipFile):
        raise TargetError(f"{str(path)!r} is no exported program, or was cut off: no archive", hint=_SAVED) from None
    # The name of the folder in it is the file's; archives of old have none, and a version.
    inside = {name.partition("/")[2] for name in names}
    if _MARK not in inside and "version" not in names:
        hint = f"--weights takes a checkpoint; {_SAVED}" if "data.pkl" in inside else _SAVED
        raise TargetError(f"{str(path)!r} is an archive, but not of an exported program", hint=hint)


def _loaded(path: Path) -> ExportedProgram:
    try:
        with _quiet() as reasons, running("torch.export.load"):
            return torch.export.load(path)
    except TargetError as error:
        reason = next((reason for reason in reasons if isinstance(reason, Exception)), error.__cause__ or error)
        while reason.__cause__ is not None:
            reason = reason.__cause__
        raise TargetError(
            f"{str(path)!r} could not be loaded by torch {torch.__version__}: {_first_sentence(reason)}",
            hint="export it again with this version of torch, or probe the model that it was exported from",
        ) from error


def _first_sentence(error: BaseException) -> str:
    return first_line(error).partition(". ")[0][:300]


@contextmanager
def _quiet() -> Iterator[list[BaseException | None]]:
    """Torch warns of its own deprecations, and logs the reason of a failure instead of raising it: it is kept."""
    reasons: list[BaseException | None] = []

    def keep(record: logging.LogRecord) -> bool:
        reasons.append(record.exc_info[1] if record.exc_info else None)
        return False

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    try:
        for logger in loggers:
            logger.addFilter(keep)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield reasons
    finally:
        for logger in loggers:
            logger.removeFilter(keep)


def _name_classes(model: nn.Module, program: ExportedProgram) -> None:
    """Make every module a class of the name and the home that its own had: all are interpreters of a graph now.

    The home tells torch's own layers, whose operations are not shown beside them, from the user's modules.
    """
    classes: dict[str, str] = {}
    for node in program.graph.nodes:
        for path, kind in (node.meta.get("nn_module_stack") or {}).values():
            classes[path] = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    for path, module in model.named_modules():
        if path in classes:
            home, _, name = classes[path].rpartition(".")
            interpreter = type(module)
            module.__class__ = type(name, (interpreter,), {"__doc__": interpreter.__doc__, "__module__": home})


def _constants(program: ExportedProgram) -> Iterator[Any]:
    """What the operations are called with besides tensors."""
    for node in program.graph.nodes:
        yield from (value for value in (*node.args, *node.kwargs.values()) if not isinstance(value, (list, dict)))


def _training_flags(program: ExportedProgram) -> Iterator[bool]:
    """What every operation was told that has a mode (``aten.dropout(x, p, train)``)."""
    for node in program.graph.nodes:
        if not isinstance(node.target, OpOverload):
            continue
        for place, argument in enumerate(node.target._schema.arguments):  # noqa: SLF001 there is no public schema
            if argument.name in {"train", "training"}:
                yield bool(node.args[place] if place < len(node.args) else node.kwargs.get(argument.name))


def _listed(values: set[Any]) -> str:
    return ", ".join(sorted(str(value).removeprefix("torch.") for value in values))


EXPORTED = source(
    Source(
        name="exported",
        form="FILE.pt2, with --allow-code",
        open=open_exported,
        accepts=lambda text: text.lower().endswith(".pt2"),
    )
)
