"""A target from whatever Python hands over: text, a path, a factory or a model, with words or tensors as inputs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from initprobe.errors import UsageError
from initprobe.load.checkpoint import weighted
from initprobe.load.inputs import GivenInputs, as_call
from initprobe.load.keras_model import KerasNetwork, is_keras
from initprobe.load.sources.base import Target
from initprobe.load.sources.python import python_target
from initprobe.load.target import open_target
from initprobe.load.wrappers import laid_bare
from initprobe.records import TargetRequest
from initprobe.subject import Subject

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
    texts: tuple[str, ...] = ()
    given = None
    if _holds_tensors(inputs):
        if isinstance(target, (str, Path)):
            raise UsageError("tensors as inputs need a model or a factory, not a target string")
        given = GivenInputs(as_call(inputs, "the call"))
    elif isinstance(inputs, str):
        texts = (inputs,)
    elif inputs is not None and all(isinstance(part, int) for part in inputs):
        texts = (",".join(map(str, inputs)),)
    elif inputs is not None:
        texts = tuple(map(str, inputs))
    if isinstance(target, (str, Path)):
        request = TargetRequest(str(target), inputs=texts, weights=file)
        return open_target(request), request
    name = type(target).__name__ if isinstance(target, nn.Module) else getattr(target, "__qualname__", repr(target))
    request = TargetRequest(name, inputs=texts, weights=file)
    return weighted(python_target(target, name=name, request=request, inputs=given), file), request


@contextmanager
def own_network(model: nn.Module, subject: Subject) -> Iterator[nn.Module]:
    """The network that is drawn where somebody hands over a model, under the names of its traced copy.

    It is that model, out of what compiles it or spreads it over devices. A Keras model is drawn in its copy, which has
    torch's layers, and takes the numbers over at the end.
    """
    if isinstance(subject.model, KerasNetwork):
        yield subject.model
        subject.model.hand_over(model)
    else:
        with laid_bare(model) as bare:
            yield bare


def own_parameters(model: nn.Module) -> Mapping[str, torch.Tensor]:
    """The parameters of a model under the names that its layers were written with."""
    if is_keras(model):
        copied = KerasNetwork(copy.deepcopy(model))
        own = {id(one.value): variable.value for one, variable in copied.pairs(model)}
        return {name: own[id(parameter)] for name, parameter in copied.named_parameters()}
    with laid_bare(model) as bare:
        return dict(bare.named_parameters())


def _holds_tensors(inputs: Any) -> bool:
    """Whether inputs are a batch, and not the words for one."""
    if isinstance(inputs, Mapping):
        return True
    return isinstance(inputs, torch.Tensor) or (
        isinstance(inputs, (tuple, list)) and any(isinstance(one, (torch.Tensor, Mapping)) for one in inputs)
    )
