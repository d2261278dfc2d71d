"""Turns ``elbo(kl_weight=0.5)`` or ``pkg:fn`` into a loss, with its options checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from typing import Any

import torch
from pydantic import ValidationError

from initprobe.cards import named_options, option_mistake, parse_call
from initprobe.errors import TargetError, UsageError
from initprobe.load.datafile import FileInputs, LabelledInputs
from initprobe.load.importing import find_object
from initprobe.load.objectives.base import OBJECTIVES, Objective, Supervised
from initprobe.load.reference import parse_reference
from initprobe.load.signature import SignedInputs
from initprobe.records import TargetRequest
from initprobe.subject import Inputs, Loss, Subject

KNOWN = ("auto", "gaussian", "own")
"""What needs no objective: a random cotangent, and the target's own loss."""


@dataclass(frozen=True, slots=True)
class ChosenLoss:
    """A loss that was asked for.

    Attributes:
        name: it, as reports show it.
        objective: the objective, None for a function.
        function: the user's function, None for an objective.
    """

    name: str
    objective: Objective | None = None
    function: Loss | None = None

    def of(self, seed: int) -> Loss:
        """The loss of one draw, whose labels and targets are those of that seed."""
        if self.objective is not None:
            return partial(self.objective.loss, seed=seed)
        assert self.function is not None
        return self.function

    def put(self, subject: Subject, seed: int) -> None:
        """Make it the loss of one draw, and let the inputs bring the labels that it asks for.

        Raises:
            UsageError: it asks for labels of a data file, and there is no such file or array.
        """
        subject.loss = self.of(seed)
        if isinstance(self.objective, Supervised) and self.objective.labels is not None:
            subject.inputs, subject.labelled = labelled(subject.inputs, self.name, self.objective.labels), True


def labelled(inputs: Inputs, loss: str, array: str) -> Inputs:
    """Inputs that bring labels with their samples.

    Args:
        inputs: that bring none.
        loss: the name of what asks for them.
        array: what holds them.

    Raises:
        UsageError: the inputs are not those of a data file, or the file has no such labels.
    """
    if isinstance(inputs, SignedInputs):
        return replace(inputs, given=labelled(inputs.given, loss, array))
    labels = labels_in(inputs, loss, array)
    assert isinstance(inputs, FileInputs)
    return LabelledInputs(inputs, labels)


def labels_in(inputs: Inputs, loss: str, array: str) -> torch.Tensor:
    """The labels of all samples; see ``labelled``."""
    if not isinstance(inputs, FileInputs):
        hint = (
            f"`input: {{from: data.npz, array: x}}` brings them; without `labels`, {loss.partition('(')[0]} draws some"
        )
        raise UsageError(f"{loss} takes its labels from the data file of the input, and the input is none", hint=hint)
    return inputs.labels(array)


def written(name: str, options: Mapping[str, Any]) -> str:
    """An objective as it is typed: ``elbo(kl_weight=0.5)``."""
    inner = ", ".join(f"{key}={value!r}" for key, value in options.items())
    return f"{name}({inner})" if inner else name


def check_loss(text: str) -> None:
    """Make sure that there is such a loss; a function is looked for when it is needed.

    Raises:
        UsageError: the objective or an option is unknown, or an option has a bad value.
    """
    if text not in KNOWN and not _is_function(text):
        find_objective(text)


def chosen_loss(text: str, request: TargetRequest) -> ChosenLoss | None:
    """The loss that a text names; None for the known ones, which are no objectives.

    Args:
        text: an objective with its options, ``package.module:function`` or ``file.py:function``.
        request: says where to import from.

    Raises:
        UsageError: the objective or an option is unknown, or an option has a bad value.
        TargetError: the function cannot be imported.
    """
    if text in KNOWN:
        return None
    if not _is_function(text):
        return ChosenLoss(*find_objective(text))
    reference = parse_reference(text)
    if reference.called:
        raise UsageError(f"a loss names a function, without a call: {reference}")
    function = find_object(reference, request.paths)
    if not callable(function):
        raise TargetError(f"the loss {reference} is no function but {type(function).__name__}")
    return ChosenLoss(str(reference), function=function)


def _is_function(text: str) -> bool:
    return ":" in text.partition("(")[0]


def find_objective(text: str) -> tuple[str, Objective]:
    """An objective with its options, and its name as reports show it.

    Raises:
        UsageError: the objective or an option is unknown, or an option has a bad value.
    """
    name, arguments = parse_call("objective", text)
    if name not in OBJECTIVES:
        near = get_close_matches(name, [*KNOWN, *OBJECTIVES], n=1)
        if near:
            raise UsageError(f"unknown objective {name!r}", hint=f"did you mean {near[0]!r}?")
    card = OBJECTIVES.find(name).card
    options = named_options("objective", card.name, card.options, arguments)
    try:
        built = OBJECTIVES.find(name).model_validate(options)
    except ValidationError as error:
        raise option_mistake("objective", card.name, card.options, options, error) from None
    return written(card.name, options), built
