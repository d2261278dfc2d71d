"""The network under the probe: the last object that holds tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import nn

from initprobe.records import Location

Loss = Callable[[Any], torch.Tensor]
"""Takes the model's output, answers with a scalar."""


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments of one call of the model; tensors carry the batch axis first."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


class Inputs(Protocol):
    """Knows how to make a batch.

    Attributes:
        fixed: the batch size where the target brought its own tensors, None where any size can be drawn.
    """

    @property
    def fixed(self) -> int | None:
        """See the class."""
        ...

    def make(self, batch: int, seed: int, dtype: torch.dtype) -> Call:
        """A batch of that size for that seed, on the CPU.

        The same (seed, size, dtype) gives the same numbers, whatever else was drawn before; the global generators are
        not touched. Floating-point inputs come in ``dtype``, integer ones keep their own.
        """
        ...


@dataclass(slots=True)
class Subject:
    """One draw of a network, ready to be probed.

    Attributes:
        model: the module, on the device and in the dtype asked for.
        inputs: makes its batches.
        loss: the target's own loss function, None where it has none.
        locations: module path to the place where that module was built.
        layer_types: module path to the block type of the YAML language (``linear``), for specs only.
    """

    model: nn.Module
    inputs: Inputs
    loss: Loss | None = None
    locations: Mapping[str, Location] = field(default_factory=dict)
    layer_types: Mapping[str, str] = field(default_factory=dict)
