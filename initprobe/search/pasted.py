"""A network whose weights a pasted function draws: it is run as its reader would run it, before it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from initprobe.errors import TargetError, first_line
from initprobe.load.sources.base import Target
from initprobe.records import ProbeRequest
from initprobe.subject import Subject


@dataclass(frozen=True, slots=True)
class PastedTarget:
    """A target after ``init_weights(model)``, or ``init_weights(model, inputs)``.

    Attributes:
        target: what builds the network.
        code: defines that function.
        takes_inputs: whether it wants a batch.
    """

    target: Target
    code: str
    takes_inputs: bool
    one_draw: bool = False

    @property
    def name(self) -> str:
        """As the target is called."""
        return self.target.name

    @property
    def sections(self) -> Any:
        """Those of the target."""
        return self.target.sections

    def build(self, seed: int, probe: ProbeRequest) -> Subject:
        """One draw; see ``sources.base.Target``.

        Raises:
            TargetError: the function does not fit this network.
        """
        subject = self.target.build(seed, probe)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            apply_function(self.code, subject.model, self._batch(subject, seed) if self.takes_inputs else ())
        return subject

    @staticmethod
    def _batch(subject: Subject, seed: int) -> tuple[Any]:
        parameter = next(subject.model.parameters())
        call = subject.inputs.make(subject.inputs.fixed or 16, seed, parameter.dtype)
        return (dict(call.kwargs) if call.kwargs else call.args,)


def apply_function(code: str, model: nn.Module, arguments: tuple[Any, ...] = ()) -> None:
    """Define ``init_weights`` and call it.

    Raises:
        TargetError: it cannot be run on this model.
    """
    defined: dict[str, Any] = {}
    try:
        exec(compile(code, "<init_weights>", "exec"), defined)  # noqa: S102 - our own text, names in it are quoted
        defined["init_weights"](model, *arguments)
    except Exception as error:  # it meets modules of anybody's making
        raise TargetError(f"the function does not fit this network: {first_line(error)}") from error
