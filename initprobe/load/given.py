"""A target from whatever Python hands over: text, a path, a factory or a model, with words or tensors as inputs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from initprobe.errors import UsageError
from initprobe.load.checkpoint import weighted
from initprobe.load.inputs import FORMS, GivenInputs, as_call
from initprobe.load.keras_model import KerasNetwork, is_keras
from initprobe.load.sources.base import Target, requested_inputs
from initprobe.load.sources.python import python_target
from initprobe.load.target import open_target
from initprobe.load.wrappers import laid_bare
from initprobe.records import TargetRequest
from initprobe.subject import Inputs

Build = str | Path | nn.Module | Callable[[], Any]


def open_given(target: Build, inputs: Any, weights: str | Path | None = None) -> tuple[Target, TargetRequest]:
    """A target, and the request that describes it.

    Args:
        target: a factory, a model, a target string or the path of a spec.
        inputs: shape of one sample, inputs as the command line takes them, or a batch of tensors.
        weights: a checkpoint that is loaded into the network.

    Raises:
        UsageError: a text was given for the network and tensors for its inputs.
    """
    file = None if weights is None else str(weights)
    texts, given = _told(inputs)
    if given is not None and isinstance(target, (str, Path)):
        raise UsageError("tensors as inputs need a model or a factory, not a target string")
    if isinstance(target, (str, Path)):
        request = TargetRequest(str(target), inputs=texts, weights=file)
        return open_target(request), request
    name = type(target).__name__ if isinstance(target, nn.Module) else getattr(target, "__qualname__", repr(target))
    request = TargetRequest(name, inputs=texts, weights=file)
    return weighted(python_target(target, name=name, request=request, inputs=given), file), request


def own_parameters(model: nn.Module) -> Mapping[str, torch.Tensor]:
    """The parameters of a model under the names that its layers were written with."""
    if is_keras(model):
        copied = KerasNetwork(copy.deepcopy(model))
        own = {id(one.value): variable.value for one, variable in copied.pairs(model)}
        return {name: own[id(parameter)] for name, parameter in copied.named_parameters()}
    with laid_bare(model) as bare:
        return dict(bare.named_parameters())


def inputs_in_python(inputs: Any) -> Inputs | None:
    """What a keyword ``inputs`` says; None where it says nothing.

    Raises:
        UsageError: it is badly written.
        TargetError: it holds no tensor, or no sample.
    """
    texts, given = _told(inputs)
    try:
        return given or requested_inputs(TargetRequest("", inputs=texts))
    except UsageError as error:
        if error.hint == FORMS:
            error.hint = 'write inputs=(3, 224, 224) or inputs="int64[128]<50257"; the batch axis is not part of it'
        raise


def _told(inputs: Any) -> tuple[tuple[str, ...], GivenInputs | None]:
    """Inputs in words, or as a batch."""
    if isinstance(inputs, int) and not isinstance(inputs, bool):
        inputs = (inputs,)
    if _holds_tensors(inputs):
        return (), GivenInputs(as_call(_tensors_of(inputs), "the call"))
    if inputs is None or isinstance(inputs, str):
        return () if inputs is None else (inputs,), None
    if not isinstance(inputs, Sequence):
        raise UsageError(
            f"inputs are a shape or a batch, not {type(inputs).__name__}",
            hint="the shape of one sample, or a tensor, a tuple of tensors, a dict of keyword arguments",
        )
    if inputs and all(isinstance(part, int) for part in inputs):
        return (",".join(map(str, inputs)),), None
    return tuple(map(str, inputs)), None


def _holds_tensors(inputs: Any) -> bool:
    """Whether inputs are a batch, and not the words for one."""
    arrays = (torch.Tensor, np.ndarray)
    if isinstance(inputs, (Mapping, *arrays)):
        return True
    return isinstance(inputs, (tuple, list)) and any(isinstance(one, (Mapping, *arrays)) for one in inputs)


def _tensors_of(inputs: Any) -> Any:
    """The batch with its NumPy arrays as tensors."""
    if isinstance(inputs, np.ndarray):
        return torch.from_numpy(inputs) if inputs.dtype.kind in "biuf" else inputs
    if isinstance(inputs, Mapping):
        return {name: _tensors_of(value) for name, value in inputs.items()}
    return tuple(map(_tensors_of, inputs)) if type(inputs) in {tuple, list} else inputs
