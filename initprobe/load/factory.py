"""Something that builds a model when it is called: called with a seed, its answer taken apart, its mistakes told."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from torch import nn

from initprobe.errors import TargetError, first_line, visible_lines
from initprobe.load.construction import Construction
from initprobe.load.importing import importable
from initprobe.load.inputs import GivenInputs, as_call
from initprobe.load.keras_model import adopted, check_backend
from initprobe.load.reference import written
from initprobe.load.usercode import raised_by_the_call, running, seeded
from initprobe.load.wrappers import unwrapped
from initprobe.records import Location
from initprobe.subject import Inputs, Loss

_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")


@dataclass(frozen=True, slots=True)
class Built:
    """What came of one call.

    Attributes:
        model: the network.
        inputs: the tensors that came with it, None where there were none.
        loss: the loss function that came with it, None where there was none.
        locations: module path to the place where that module was built.
    """

    model: nn.Module
    inputs: Inputs | None
    loss: Loss | None
    locations: Mapping[str, Location]


@dataclass(frozen=True, slots=True)
class Factory:
    """A class or a function that is called once per seed, with seeded global generators.

    Attributes:
        label: what it is called in messages (``pkg.mod:build``).
        function: what is called.
        args, kwargs: with these.
        roots: directories that are importable while it runs.
        defined: the line of its definition.
        handed_on: for a library's function, names of further arguments that it takes. Frames of a library say nothing
            to whoever typed an argument, so the arguments are told and its frames are not. None for the user's own.
    """

    label: str
    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    roots: tuple[Path, ...] = ()
    defined: Location | None = None
    handed_on: tuple[str, ...] | None = None

    def build(self, seed: int) -> Built:
        """One draw; the global generators are as before afterwards.

        Raises:
            TargetError: it raised, does not take these arguments, or returned no model.
        """
        with Construction() as construction:
            value = self._call(seed)
        model, inputs, loss = _taken_apart(value, self.label)
        return Built(model, inputs, loss, construction.locations(model, self.defined))

    def _call(self, seed: int) -> Any:
        try:
            with importable(self.roots), running(f"{self.label}()"), seeded(seed):
                return self.function(*self.args, **self.kwargs)
        except TargetError as error:
            cause = error.__cause__
            if isinstance(cause, TypeError) and (raised_by_the_call(cause) or not self._fits()):
                raise self._wrong_arguments(str(cause), self._completed()) from cause
            if cause is not None and self.handed_on is not None and self.kwargs:
                raise self._wrong_arguments(first_line(cause), self._meant(cause)) from cause
            raise

    def _fits(self) -> bool:
        try:
            inspect.signature(self.function).bind(*self.args, **self.kwargs)
        except TypeError:
            return False
        except ValueError:  # a built-in without a signature
            return True
        return True

    def _wrong_arguments(self, reason: str, hint: str | None) -> TargetError:
        place = f"  {self.defined}  {visible_lines(self.defined.text.strip())}" if self.defined else ""
        return TargetError(
            f"could not call {self.label}({written(self.args, self.kwargs)}): {visible_lines(reason)}",
            trace=place,
            hint=hint,
        )

    def _meant(self, cause: BaseException) -> str | None:
        """The argument that a mistyped one was meant to be."""
        typed = _UNEXPECTED.search(str(cause))
        if typed is None or not self.handed_on:
            return None
        near = get_close_matches(typed[1], self.handed_on, n=1)
        return f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(self.handed_on)}"

    def _completed(self) -> str | None:
        """The call with every argument that is missing, or the signature where another one is wrong."""
        try:
            signature = inspect.signature(self.function)
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
        return repr(f"{self.label}({written(self.args, {**self.kwargs, **missing})})")


def _example(parameter: inspect.Parameter) -> float | str | bool | None:
    """A literal that a parameter could take, by its annotation; None where only the user knows."""
    annotation = parameter.annotation
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    examples: dict[str, float | str | bool] = {"int": 256, "float": 0.1, "bool": True, "str": "name", "_empty": 256}
    return examples.get(name)


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
            f"{label}() returned {described(value)}, not a model",
            hint="return the nn.Module, or (model, inputs), or (model, inputs, loss_fn)",
        )
    model, given, loss = (*parts, None, None)[:3]
    if loss is not None and not callable(loss):
        raise TargetError(f"the loss function of {label}() is {described(loss)}, which cannot be called")
    inputs = None if given is None else GivenInputs(as_call(given, f"{label}()"))
    return adopted(unwrapped(model), inputs, f"{label}()"), inputs, loss


def described(value: object) -> str:
    """What a value is that should have been something else."""
    if value is None:
        return "None (is a `return` missing?)"
    if isinstance(value, type):
        return f"the class {value.__name__} itself"
    if isinstance(value, tuple):
        return f"a tuple of {', '.join(type(item).__name__ for item in value) or 'nothing'}"
    return f"an object of type {type(value).__name__}"
