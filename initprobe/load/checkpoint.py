"""A checkpoint becomes the weights of any target: read by its format, fitted by name, copied before every probe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from initprobe.errors import UsageError
from initprobe.load.files import check_fits_memory, existing_file
from initprobe.load.fitting import load_weights
from initprobe.load.sources.base import Target
from initprobe.load.weights.base import WEIGHTS
from initprobe.records import ProbeRequest
from initprobe.subject import Subject

WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Keys below which training loops put the weights, beside the optimizer and other things."""


@dataclass(frozen=True, slots=True)
class WeightedTarget:
    """A target whose weights come from a checkpoint: one draw.

    Attributes:
        target: builds the model.
        file: the checkpoint as typed.
        tensors: what it holds.
    """

    target: Target
    file: str
    tensors: Mapping[str, torch.Tensor]
    one_draw: bool = True

    @property
    def name(self) -> str:
        """As the target's."""
        return self.target.name

    @property
    def sections(self) -> Any:
        """As the target's."""
        return self.target.sections

    def build(self, seed: int, probe: ProbeRequest) -> Subject:
        """The target with the weights of the checkpoint, in the model's dtype; see ``sources.base.Target``.

        Raises:
            UsageError: the checkpoint does not fit the model.
        """
        subject = self.target.build(seed, probe)
        load_weights(subject.model, self.tensors, file=self.file, name=self.name)
        return subject


def weighted(target: Target, file: str | None) -> Target:
    """The target with the weights of a checkpoint, or as it is where there is none.

    Raises:
        UsageError: the file is not there, is larger than the memory, is of no known format, is broken, holds more than
            tensors, or none.
    """
    return target if file is None else WeightedTarget(target, file, read_weights(file))


def read_weights(file: str) -> Mapping[str, torch.Tensor]:
    """Every tensor of a checkpoint by name; see ``weighted``."""
    path = existing_file(file)
    formats = [leaf for leaf in WEIGHTS.values() if path.name.lower().endswith(leaf.suffixes)]
    if not formats:
        known = ", ".join(suffix for leaf in WEIGHTS.values() for suffix in leaf.suffixes)
        raise UsageError(f"{file!r} is no checkpoint by its name", hint=f"--weights takes {known}")
    check_fits_memory(path)
    held = formats[0].read(path)
    tensors = _state(held)
    if not tensors:
        raise UsageError(
            f"{file!r} holds no weights but {_described(held)}",
            hint="write it with torch.save(model.state_dict(), FILE)",
        )
    return tensors


def _state(held: object) -> dict[str, torch.Tensor]:
    """The tensors of a state dict, which may lie in the dictionary of a training loop."""
    if not isinstance(held, Mapping):
        return {}
    tensors = {name: value for name, value in held.items() if isinstance(name, str) and isinstance(value, torch.Tensor)}
    inner = (_state(held[key]) for key in WRAPPERS if isinstance(held.get(key), Mapping))
    return tensors if len(tensors) == len(held) else next((state for state in inner if state), tensors)


def _described(held: object) -> str:
    if not isinstance(held, Mapping):
        return f"an object of type {type(held).__name__}"
    names = [repr(str(key)[:40]) for key in list(held)[:5]]
    return f"a dictionary of {', '.join(names)}{' ...' * (len(held) > len(names))}" if names else "an empty dictionary"
