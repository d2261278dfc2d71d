"""Libraries that build models by name; none of them is needed by initprobe itself."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from initprobe.errors import MissingExtraError, TargetError, UsageError
from initprobe.load.usercode import running


def import_library(name: str, needed_by: str) -> Any:
    """A library, by the name that is also the name of the extra that installs it.

    Args:
        name: the library (``timm``).
        needed_by: the target that asks for it, for the message.

    Raises:
        UsageError: it is not installed, or torchvision is built for another torch.
        TargetError: importing it raised something else.
    """
    try:
        with running(f"importing {name}"):
            return importlib.import_module(name)
    except TargetError as error:
        cause = error.__cause__
        if isinstance(cause, ModuleNotFoundError):
            raise MissingExtraError(needed_by, name) from cause
        if isinstance(cause, RuntimeError) and "torchvision" in str(cause):
            raise _mismatched(cause) from cause
        raise


def _mismatched(cause: RuntimeError) -> UsageError:
    """The operators of a torchvision that was compiled for another torch are not there."""
    versions = " beside ".join(f"{library} {_version(library)}" for library in ("torchvision", "torch"))
    return UsageError(
        f"torchvision build does not match torch build: {versions}, {str(cause).splitlines()[0]}",
        hint="install the two together, from one place: releases that belong together, both for the CPU or both for "
        "the same CUDA",
    )


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "of unknown version"


def unknown_model(library: str, name: str, known: Iterable[str]) -> TargetError:
    """The error for a name that a library does not know, with the nearest that it does."""
    every = list(known)
    near = get_close_matches(name, every, n=3) or [other for other in every if name and other.startswith(name)][:3]
    return TargetError(
        f"{library} {_version(library)} has no model {name!r}",
        hint=f"did you mean {' or '.join(f'{library}:{match}' for match in near)}?"
        if near
        else f"{library}.models.list_models() lists the {len(every)} that it has",
    )


def handed_on(function: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the arguments that a function with ``**kwargs`` hands on to the class that it says it returns."""
    kind = inspect.signature(function).return_annotation
    if not isinstance(kind, type):
        return ()
    return tuple(name for name in inspect.signature(kind).parameters if name not in ("args", "kwargs"))


def extents(size: object, axes: int) -> tuple[int, ...] | None:
    """The size of an image as libraries take it, one number for all axes or one for each; None for anything else."""
    if isinstance(size, int):
        return (size,) * axes
    if isinstance(size, (list, tuple)) and len(size) == axes and all(isinstance(extent, int) for extent in size):
        return tuple(size)
    return None
