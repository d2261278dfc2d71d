"""Python targets: a class or a function that builds a model, or a model itself."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from initprobe.errors import TargetError, UsageError, visible_lines
from initprobe.load.construction import Construction, class_locations, definition
from initprobe.load.importing import find_object, importable, roots_of
from initprobe.load.inputs import GivenInputs, as_call
from initprobe.load.keras_model import adopted, check_backend
from initprobe.load.reference import Reference, parse_reference
from initprobe.load.sources.base import Opener, Source, Target, placed, requested_inputs, resolved_inputs, source
from initprobe.load.usercode import raised_by_the_call, running, seeded
from initprobe.load.wrappers import unwrapped
from initprobe.records import Location, ProbeRequest, TargetRequest
from initprobe.subject import Inputs, Loss, Subject


@dataclass(frozen=True, slots=True)
class FactoryTarget:
    """A class or a function that is called once per seed, with seeded global generators.

    Attributes:
        name: short name for tables.
        label: the whole reference, for messages (``pkg.mod:build``).
        factory: what is called.
        args, kwargs: with these.
        roots: directories that are importable while it runs.
        inputs: what the command line says about inputs, None where it says nothing.
        defined: the line of its definition.
    """

    name: str
    label: str
    factory: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    roots: tuple[Path, ...] = ()
    inputs: Inputs | None = None
    defined: Location | None = None
    one_draw: bool = False
    sections: None = None

    def build(self, seed: int, probe: ProbeRequest) -> Subject:
        """One draw; see ``sources.base.Target``."""
        with Construction() as construction:
            value = self._call(seed)
        model, given, loss = _taken_apart(value, self.label)
        locations = construction.locations(model, self.defined)
        inputs = resolved_inputs(model, self.inputs or given)
        return Subject(placed(model, probe), inputs, loss, locations)

    def _call(self, seed: int) -> Any:
        try:
            with importable(self.roots), running(f"{self.label}()"), seeded(seed):
                return self.factory(*self.args, **self.kwargs)
        except TargetError as error:
            cause = error.__cause__
            if isinstance(cause, TypeError) and (raised_by_the_call(cause) or not self._fits()):
                raise self._wrong_arguments(cause) from cause
            raise

    def _fits(self) -> bool:
        try:
            inspect.signature(self.factory).bind(*self.args, **self.kwargs)
        except TypeError:
            return False
        except ValueError:  # a built-in without a signature
            return True
        return True

    def _wrong_arguments(self, cause: TypeError) -> TargetError:
        place = f"  {self.defined}  {visible_lines(self.defined.text.strip())}" if self.defined else ""
        return TargetError(
            f"could not call {self.label}({_shown(self.args, self.kwargs)}): {visible_lines(str(cause))}",
            trace=place,
            hint=self._completed(),
        )

    def _completed(self) -> str | None:
        """The call with every argument that is missing, or the signature where another one is wrong."""
        try:
            signature = inspect.signature(self.factory)
        except (ValueError, TypeError):
            return None
        try:
            bound = signature.bind_partial(*self.args, **self.kwargs)
        except TypeError:
            return visible_lines(f"it takes {signature}")
        named = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
        missing = {
            parameter.name: _example(parameter)
            for parameter in signature.parameters.values()
            if parameter.name not in bound.arguments
            and parameter.default is parameter.empty
            and parameter.kind in named
        }
        if not missing or None in missing.values():
            return visible_lines(f"it takes {signature}; write a function that builds what is no literal")
        return repr(f"{self.label}({_shown(self.args, {**self.kwargs, **missing})})")


def _example(parameter: inspect.Parameter) -> float | str | bool | None:
    """A literal that a parameter could take, by its annotation; None where only the user knows."""
    annotation = parameter.annotation
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    examples: dict[str, float | str | bool] = {"int": 256, "float": 0.1, "bool": True, "str": "name", "_empty": 256}
    return examples.get(name)


def _shown(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    return ", ".join([*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())])


@dataclass(frozen=True, slots=True)
class InstanceTarget:
    """A model that exists already: one draw. Every probe works on a copy of it.

    Attributes:
        name, label, roots, inputs: as for a factory.
        model: the user's object; never written to.
        locations: where its modules were built, as far as that is known.
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


def _taken_apart(value: object, label: str) -> tuple[nn.Module, Inputs | None, Loss | None]:
    """What a factory returned: the model, its inputs and its loss function.

    Raises:
        TargetError: it is something else.
    """
    parts = value if isinstance(value, tuple) else (value,)
    for part in parts[:1]:
        check_backend(part, f"what {label}() returned")
    if not 1 <= len(parts) <= 3 or not isinstance(parts[0], nn.Module):
        raise TargetError(
            f"{label}() returned {_described(value)}, not a model",
            hint="return the nn.Module, or (model, inputs), or (model, inputs, loss_fn)",
        )
    model, given, loss = (*parts, None, None)[:3]
    if loss is not None and not callable(loss):
        raise TargetError(f"the loss function of {label}() is {_described(loss)}, which cannot be called")
    inputs = None if given is None else GivenInputs(as_call(given, f"{label}()"))
    return adopted(unwrapped(model), inputs, f"{label}()"), inputs, loss


def _described(value: object) -> str:
    if value is None:
        return "None (is a `return` missing?)"
    if isinstance(value, type):
        return f"the class {value.__name__} itself"
    if isinstance(value, tuple):
        return f"a tuple of {', '.join(type(item).__name__ for item in value) or 'nothing'}"
    return f"an object of type {type(value).__name__}"


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
        raise TargetError(f"{name} is {_described(value)}, not a class, a function or a model")
    return FactoryTarget(name, name, value, roots=roots, inputs=inputs, defined=definition(value))


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
        raise TargetError(f"{label} is {_described(value)}, not a class, a function or a model")
    return FactoryTarget(name, label, value, parsed.args, parsed.kwargs, roots, inputs, definition(value))


def _instance_locations(construction: Construction, model: nn.Module) -> dict[str, Location]:
    """The lines that built it, where that happened while its module was imported; class lines elsewhere."""
    return construction.locations(model, None) if construction.saw(model) else class_locations(model)


def _short(reference: Reference) -> str:
    place = Path(reference.place).name if reference.is_file else reference.place.rpartition(".")[2]
    call = f"({_shown(reference.args, reference.kwargs)})" if reference.args or reference.kwargs else ""
    return f"{place}:{reference.attribute}{call}"


PYTHON = source(
    Source(name="python", form="pkg.mod:ATTR or FILE.py:ATTR, with a call if it takes arguments", open=open_python)
)
