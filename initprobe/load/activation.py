"""An activation that a user wrote, from its place or as an object: a function of numpy or torch, or a module."""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from initprobe.activations.base import Array, Elementwise
from initprobe.activations.callables import adopt
from initprobe.activations.typed import parse_activation
from initprobe.errors import TargetError
from initprobe.load.importing import find_object, importable, roots_of
from initprobe.load.reference import Reference, parse_reference, written
from initprobe.load.usercode import running, seeded
from initprobe.records import ActivationUse


def open_activation(given: str | Callable[..., Any] | ActivationUse, paths: Sequence[str] = ()) -> ActivationUse:
    """An activation by its name, as ``file.py:fn`` or ``pkg.mod:fn``, or as an object.

    A class is built first, with the arguments in parentheses if there are any; a function with arguments in parentheses
    is called with them and answers with the activation. Slopes of torch functions are what autograd makes of them.

    Args:
        given: text, a function of an array or a tensor, an ``nn.Module`` or a class of one.
        paths: directories to import from too.

    Raises:
        UsageError: there is no such activation, or the function is none.
        TargetError: the object cannot be found, or building it raised.
    """
    if isinstance(given, ActivationUse):
        return given
    if not isinstance(given, str):
        return _adopted(getattr(given, "__qualname__", type(given).__name__), given)
    if ":" not in given.partition("(")[0]:
        return parse_activation(given)
    reference = parse_reference(given)
    value = find_object(reference, tuple(paths))
    with importable(roots_of(reference, tuple(paths))):
        return _adopted(_short(reference), value, reference)


def _short(reference: Reference) -> str:
    place = Path(reference.place).name if reference.is_file else reference.place
    call = f"({written(reference.args, reference.kwargs)})" if reference.called else ""
    return f"{place}:{reference.attribute}{call}"


def _adopted(name: str, value: object, reference: Reference | None = None) -> ActivationUse:
    if inspect.isclass(value) or (reference is not None and reference.called):
        arguments = (reference.args, reference.kwargs) if reference is not None else ((), {})
        with running(f"{name}()"), seeded(0):
            value = value(*arguments[0], **arguments[1])  # type: ignore[operator]
    if not callable(value):
        raise TargetError(f"{name} is of type {type(value).__name__}, not a function or a module")
    with running(f"{name}(z)"):
        if isinstance(value, nn.Module):
            return adopt(name, *_torch_pair(copy.deepcopy(value).double().eval()))
        return adopt(name, *(_torch_pair(value) if _takes_tensors(value) else (value, None)))


def _takes_tensors(function: Callable[..., Any]) -> bool:
    """Whether a function is one of tensors; one that takes both, as ``abs`` does, counts as one of arrays."""
    sample = np.linspace(-2.0, 2.0, 5)
    for points in (sample, torch.from_numpy(sample)):
        with contextlib.suppress(TypeError, AttributeError, ValueError, RuntimeError):  # the other may be what it takes
            return isinstance(function(points), torch.Tensor)
    return False  # what is wrong is told when it is adopted


def _torch_pair(function: Callable[[torch.Tensor], torch.Tensor]) -> tuple[Elementwise, Elementwise]:
    """A torch function and its slope as functions of arrays."""

    def value(z: Array) -> Array:
        with torch.no_grad():
            found: Array = function(torch.from_numpy(np.ascontiguousarray(z))).double().numpy()
        return found

    def derivative(z: Array) -> Array:
        with torch.enable_grad():
            x = torch.from_numpy(np.array(z, np.float64)).requires_grad_()
            y = function(x)
            if not y.requires_grad:  # it is constant, or passes no gradient
                return np.zeros_like(z)
            (slope,) = torch.autograd.grad(y.sum(), x)
        return np.asarray(slope.numpy(), np.float64)

    return value, derivative
