"""What all callbacks share: judge a model as it stands, and stop or warn."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Literal

import torch
from torch import nn

from initprobe.api import UnhealthyInitError, assert_healthy_init
from initprobe.errors import UsageError
from initprobe.process import random_states

OnFail = Literal["raise", "warn"]


class UnhealthyInitWarning(UserWarning):
    """A training that goes on with weights that a check failed."""


@dataclass(frozen=True)
class Gate:
    """A check of one model, whose weights are a single draw.

    Attributes:
        on_fail: whether training stops there.
        options: of ``initprobe.assert_healthy_init``.

    Raises:
        UsageError: ``on_fail`` is neither ``raise`` nor ``warn``.
    """

    on_fail: OnFail = "raise"
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.on_fail not in ("raise", "warn"):
            raise UsageError(f"on_fail is 'raise' or 'warn', not {self.on_fail!r}")

    def hold(self, model: nn.Module, inputs: Any) -> None:
        """Check a model; it comes back as it was, on the device where it is.

        Raises:
            UnhealthyInitError: the verdict is ``fail``, and training is to stop.
        """
        try:
            assert_healthy_init(model, inputs, **{"device": device_of(model), **self.options})
        except UnhealthyInitError as error:
            if self.on_fail == "raise":
                raise
            warnings.warn(str(error), UnhealthyInitWarning, stacklevel=2)


def first_of(loader: Any) -> Any:
    """The first batch of a loader; random states stay as they are, so that training goes as it would have gone."""
    with random_states([]):
        return next(iter(loader))


def device_of(model: nn.Module) -> str:
    """Where its first tensor lies."""
    tensor = next(chain(model.parameters(), model.buffers()), torch.empty(0))
    return str(tensor.device)
