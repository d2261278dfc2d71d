"""What a modality is: arguments of a forward, and the dummy tensors that each could take."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import nn

from initprobe.load.inputs import INTEGERS
from initprobe.registry import Registry
from initprobe.subject import Call
from initprobe.variates import Variates


class Dummy(Protocol):
    """One argument, ready to be drawn for any number of samples."""

    def draw(self, batch: int, variates: Variates, dtype: torch.dtype) -> torch.Tensor:
        """A tensor on the CPU whose first axis is ``batch`` times a constant; floats in ``dtype``."""
        ...


@dataclass(frozen=True, slots=True)
class Noise:
    """Standard normal numbers of shape (batch x rows, *shape), or uniform ones in [0, 1)."""

    shape: tuple[int, ...]
    rows: int = 1
    positive: bool = False

    def draw(self, batch: int, variates: Variates, dtype: torch.dtype) -> torch.Tensor:
        """See ``Dummy``."""
        shape = (batch * self.rows, *self.shape)
        return (variates.uniform(shape) if self.positive else variates.normal(shape)).to(dtype)


@dataclass(frozen=True, slots=True)
class Whole:
    """Whole numbers in [0, high), of shape (batch, *shape)."""

    shape: tuple[int, ...]
    high: int
    dtype: str = "int64"

    def draw(self, batch: int, variates: Variates, dtype: torch.dtype) -> torch.Tensor:  # noqa: ARG002
        """See ``Dummy``."""
        return variates.integers((batch, *self.shape), self.high).to(INTEGERS[self.dtype])


@dataclass(frozen=True, slots=True)
class Constant:
    """The same whole numbers, truth values or floats for every sample: masks, grids, sizes, positions.

    Attributes:
        values: nested lists, one sample's worth.
        rows: whether the outer list is ``rows`` rows of the first axis, and not one sample.
        kind: ``int``, ``bool``, or ``float``, which arrives in the dtype of the batch.
    """

    values: Any
    rows: bool = False
    kind: str = "int"

    def draw(self, batch: int, variates: Variates, dtype: torch.dtype) -> torch.Tensor:  # noqa: ARG002
        """See ``Dummy``."""
        kinds = {"int": torch.int64, "bool": torch.bool, "float": dtype}
        one = torch.tensor(self.values, dtype=kinds[self.kind], device="cpu")
        one = one if self.rows else one.unsqueeze(0)
        return one.repeat(batch, *[1] * (one.ndim - 1))


def ones(*shape: int, kind: str = "int") -> Constant:
    """A mask that hides nothing."""
    return Constant(torch.ones(shape).tolist(), kind=kind)


Dummies = dict[str, Dummy]


@dataclass(frozen=True)
class Network:
    """What is known of the model whose inputs are made up.

    Attributes:
        model: the model.
        config: its configuration.
        takes: parameters of its forward.
        run: calls a method of the model as the probe will run it, without a trace, and answers with what it returned.
    """

    model: nn.Module
    config: Any
    takes: Mapping[str, inspect.Parameter]
    run: Callable[[Callable[..., Any], Call], Any]

    def required(self, name: str) -> bool:
        """Whether the forward cannot be called without that argument."""
        parameter = self.takes.get(name)
        return parameter is not None and parameter.default is parameter.empty

    def find(self, *names: str, near: tuple[str, ...] = ()) -> Any:
        """The first value of one of these names that is not None, in the configuration or one nested in it.

        Args:
            names: attributes, the most telling first.
            near: parts of the names of nested configurations to look into before all others.
        """
        configs = list(self.nested(near))
        for name in names:
            for config in configs:
                try:
                    value = getattr(config, name, None)
                except Exception:  # noqa: BLE001, S112 - a configuration may refuse what differs from layer to layer
                    continue
                if value is not None:
                    return value
        return None

    def whole(self, *names: str, near: tuple[str, ...] = ()) -> int | None:
        """As ``find``, for a positive whole number; of several, the first."""
        value = self.find(*names, near=near)
        if isinstance(value, (list, tuple)) and value:
            value = value[0]
        return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None

    def nested(self, near: tuple[str, ...] = ()) -> Iterator[Any]:
        """The configuration and all that are nested in it; first those whose name has one of the parts."""
        found = list(_nested(self.config))
        by_name = [config for name, config in found if any(part in name for part in near)]
        yield from by_name
        yield from (config for _, config in found if not any(config is one for one in by_name))


def _nested(config: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    yield name, config
    for key, value in list(vars(config).items()) if depth < 4 else ():
        if hasattr(value, "to_dict") and hasattr(value, "model_type"):
            yield from _nested(value, f"{name}.{key}", depth + 1)


Make = Callable[[Network, Mapping[str, Dummy]], list[Dummy]]
"""What an argument could be given, the likeliest first, beside what was chosen so far; empty where nothing fits."""


@dataclass(frozen=True, slots=True)
class Modality:
    """One kind of data.

    Attributes:
        name: what it is called.
        order: in which order modalities are made up, low first: text comes last, because it holds a placeholder for
            every feature of the others.
        data: arguments that carry the data; a forward that takes one is given it.
        companions: arguments that go with the data where a forward takes them: grids, sizes.
        required: arguments that are left out unless the forward cannot do without: masks that hide nothing.
    """

    name: str
    order: int
    data: Mapping[str, Make]
    companions: Mapping[str, Make] = field(default_factory=dict)
    required: Mapping[str, Make] = field(default_factory=dict)


MODALITIES: Registry[Modality] = Registry("modality", "initprobe.load.dummies", "initprobe.dummies")


def modality(leaf: Modality) -> Modality:
    """Register a modality; a leaf calls this once at module level."""
    MODALITIES.add(leaf.name, leaf)
    return leaf
