"""Python targets: a class or a function that builds a model, or a model itself."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from initprobe.errors import TargetError, UsageError
from initprobe.load.construction import Construction, class_locations, definition
from initprobe.load.factory import Factory, described
from initprobe.load.importing import find_object, importable, roots_of
from initprobe.load.keras_model import adopted, check_backend
from initprobe.load.reference import Reference, parse_reference, written
from initprobe.load.sources.base import (
    FactoryTarget,
    Opener,
    Source,
    Target,
    placed,
    requested_inputs,
    resolved_inputs,
    source,
)
from initprobe.load.usercode import running
from initprobe.load.wrappers import unwrapped
from initprobe.records import Location, ProbeRequest, TargetRequest
from initprobe.subject import Inputs, Subject


@dataclass(frozen=True, slots=True)
class InstanceTarget:
    """A model that exists already: one draw. Every probe works on a copy of it.

    Attributes:
        name: short name for tables.
        label: the whole reference, for messages (``pkg.mod:net``).
        model: the user's object; never written to.
        locations: where its modules were built, as far as that is known.
        roots: directories that are importable while it is copied.
        inputs: what the command line says about inputs, None where it says nothing.
    """

    name: str
    label: str
    model: nn.Module
    locations: Mapping[str, Location]
    roots: tuple[Path, ...] = ()
    inputs: Inputs | None = None
    one_draw: bool = True
    sections: None = None

    def build(self, seed: int, probe: ProbeRequest) -> Subject:  # noqa: ARG002 - the weights are what they are
        """The same weights for every seed; see ``sources.base.Target``."""
        try:
            with importable(self.roots), running(f"copying {self.label}"):
                model = adopted(unwrapped(copy.deepcopy(self.model)), self.inputs, self.label)
        except TargetError as error:
            error.hint = "name a function that builds the model: it can be called again and need not be copied"
            raise
        return Subject(placed(model, probe), resolved_inputs(model, self.inputs), locations=self.locations)


def python_target(value: object, *, name: str, request: TargetRequest, inputs: Inputs | None = None) -> Target:
    """A Python object as a target: a factory, or a model, which is one draw.

    Args:
        value: a class, a function, anything that can be called without arguments, or an ``nn.Module``.
        name: what it is called in tables and messages.
        request: what is said about its inputs and about directories to import from.
        inputs: makes the batches, where no text says how.

    Raises:
        TargetError: it is neither.
    """
    check_backend(value, name)
    roots = tuple(Path(path).resolve() for path in request.paths)
    inputs = inputs or requested_inputs(request)
    if isinstance(value, nn.Module):
        return InstanceTarget(name, name, value, class_locations(value), roots, inputs)
    if not callable(value):
        raise TargetError(f"{name} is {described(value)}, not a class, a function or a model")
    return FactoryTarget(name, Factory(name, value, roots=roots, defined=definition(value)), inputs)


def open_python(reference: str, request: TargetRequest, opener: Opener) -> Target:  # noqa: ARG001 - leads nowhere else
    """Import ``MODULE:ATTR[CALL]`` or ``FILE.py:ATTR[CALL]``; see ``sources.base.Source``."""
    parsed = parse_reference(reference)
    inputs = requested_inputs(request)
    with Construction() as construction:
        value = find_object(parsed, request.paths)
    check_backend(value, str(parsed))
    roots = roots_of(parsed, request.paths)
    label, name = str(parsed), _short(parsed)
    if isinstance(value, nn.Module):
        if parsed.called:
            raise UsageError(f"{label} is a model, not something that builds one", hint=f"leave the call: {label}")
        return InstanceTarget(name, label, value, _instance_locations(construction, value), roots, inputs)
    if not callable(value):
        raise TargetError(f"{label} is {described(value)}, not a class, a function or a model")
    return FactoryTarget(name, Factory(label, value, parsed.args, parsed.kwargs, roots, definition(value)), inputs)


def _instance_locations(construction: Construction, model: nn.Module) -> dict[str, Location]:
    """The lines that built it, where that happened while its module was imported; class lines elsewhere."""
    return construction.locations(model, None) if construction.saw(model) else class_locations(model)


def _short(reference: Reference) -> str:
    place = Path(reference.place).name if reference.is_file else reference.place.rpartition(".")[2]
    call = f"({written(reference.args, reference.kwargs)})" if reference.args or reference.kwargs else ""
    return f"{place}:{reference.attribute}{call}"


PYTHON = source(
    Source(name="python", form="pkg.mod:ATTR or FILE.py:ATTR, with a call if it takes arguments", open=open_python)
)
