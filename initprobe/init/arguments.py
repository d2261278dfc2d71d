"""What Python may hand to an initialization beside model and scheme, checked before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from operator import index
from typing import Any, SupportsIndex

import torch
from torch import nn

from initprobe.errors import UsageError
from initprobe.init.schemes.base import SCHEMES
from initprobe.records import InitRequest, Outcome

LARGEST_SEED = 2**63 - 1


def checked_seed(seed: object) -> int:
    """The seed of a draw.

    Raises:
        UsageError: it is no whole number from 0 to 2^63 - 1.
    """
    if (
        isinstance(seed, SupportsIndex)
        and not isinstance(seed, bool | torch.Tensor)
        and 0 <= index(seed) <= LARGEST_SEED
    ):
        return index(seed)
    raise UsageError(f"a seed is a whole number from 0 to 2^63 - 1, not {seed!r}")


def checked_loss(loss: object) -> Callable[[Any], Any] | None:
    """A function of the model's output, or None.

    Raises:
        UsageError: it cannot be called.
    """
    if loss is None or callable(loss):
        return loss
    raise UsageError(
        f"loss is a function of the model's output, not {type(loss).__name__}",
        hint="loss=lambda output: torch.nn.functional.cross_entropy(output, labels)",
    )


def globs_of(only: object) -> tuple[str, ...]:
    """Shell patterns, given as one or as several.

    Raises:
        UsageError: they are no text.
    """
    if isinstance(only, str):
        return (only,)
    globs = tuple(only) if isinstance(only, Iterable) else (only,)
    for glob in globs:
        if not isinstance(glob, str):
            raise UsageError(
                f"only takes shell patterns, not {type(glob).__name__}", hint='only="head.*", or a list of such texts'
            )
    return globs


def parameters_of(source: object) -> Mapping[str, torch.Tensor] | None:
    """The parameters by name of the network that another one grows out of.

    Raises:
        UsageError: it is neither a model nor a mapping from names to tensors.
    """
    if source is None:
        return None
    if isinstance(source, nn.Module):
        return dict(source.named_parameters())
    if isinstance(source, Mapping):
        tensors = {name: value for name, value in source.items() if isinstance(value, torch.Tensor)}
        if tensors or not source:
            return tensors
    what = "a mapping of something else" if isinstance(source, Mapping) else type(source).__name__
    raise UsageError(
        f"source is a model, or a mapping from names to tensors, not {what}",
        hint="source=narrow, or source=narrow.state_dict()",
    )


def unread_told(outcome: Outcome, request: InitRequest, **given: object) -> Outcome:
    """The outcome with a note for what was given and no scheme looked at.

    Args:
        outcome: of the initialization.
        request: what was asked for.
        given: ``loss`` and ``source``; None where nothing was given.
    """
    read = frozenset[str]().union(*(SCHEMES[choice.name].reads for choice in request.choices))
    notes = tuple(
        f"{name} was given, and {request.default} does not look at it"
        for name, value in given.items()
        if value is not None and name not in read
    )
    return replace(outcome, notes=(*outcome.notes, *notes))
