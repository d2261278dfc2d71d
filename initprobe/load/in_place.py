"""A model of the user's that is written into where it stands, and not a copy of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from initprobe.errors import UsageError
from initprobe.load.construction import class_locations
from initprobe.load.given import inputs_in_python
from initprobe.load.keras_model import adopted, check_backend, is_keras
from initprobe.load.sources.base import check_numbers, likely_input, resolved_inputs
from initprobe.load.usercode import running
from initprobe.load.wrappers import laid_bare
from initprobe.subject import Inputs, Subject


@contextmanager
def in_place(model: nn.Module, inputs: Any) -> Iterator[Subject]:
    """The network whose parameters are to be written, under the names that a probe gives them.

    What compiles a model or spreads it over devices is taken away meanwhile. A Keras model is written when the block
    ends, and only if it ends well: until then a copy stands in for it, whose layers own their weights.

    Args:
        model: its parameters are those of the subject; its device and dtype stay.
        inputs: shape of one sample, inputs as the command line takes them, or a batch of tensors.

    Raises:
        UsageError: it is no model, or nothing says what its input is.
        TargetError: it cannot be written, or its inputs hold no tensor.
    """
    label = type(model).__name__
    check_backend(model, label)
    if not isinstance(model, nn.Module):
        raise UsageError(
            f"{'a class' if isinstance(model, type) else label} is no nn.Module: only a model that exists can be drawn",
            hint="build the model first, and give that",
        )
    given = inputs_in_python(inputs)
    if is_keras(model):
        with _copied_meanwhile(model, given, label) as network:
            yield _subject(network, given, model)
        return
    with laid_bare(model) as network:
        yield _subject(network, given, model)


def _subject(network: nn.Module, given: Inputs | None, model: nn.Module) -> Subject:
    check_numbers(network)
    try:
        inputs = resolved_inputs(network, given)
    except UsageError as error:
        error.hint = (
            f"inputs={likely_input(network, python=True)}, or a batch: a tensor, a tuple of tensors, or a dict of "
            "keyword arguments"
        )
        raise
    return Subject(network, inputs, locations=class_locations(model))


@contextmanager
def _copied_meanwhile(model: Any, given: Inputs | None, label: str) -> Iterator[nn.Module]:
    with running(f"copying {label}"):
        network = adopted(copy.deepcopy(model), given, label)
    copied: Any = network
    if len(model.weights) != len(copied.wrapped.weights):
        raise UsageError(
            f"the Keras model {label} is not built: its layers have no weights before they know their input",
            hint="begin with keras.Input(shape), or call the model once",
        )
    yield network
    copied.hand_over(model)
