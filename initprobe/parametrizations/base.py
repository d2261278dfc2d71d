"""What a reparametrization is: a card, options, and a module that computes a layer's weight from what is stored.

It stands on ``torch.nn.utils.parametrize``: the layer keeps its name and its forward, its weight becomes a property,
and what was its parameter moves to ``LAYER.parametrizations.weight.original``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import torch
from pydantic import BaseModel, ConfigDict
from torch import nn
from torch.nn.utils import parametrize

from initprobe.cards import OptionCard, option_cards
from initprobe.registry import Registry


@dataclass(frozen=True, slots=True)
class ParametrizationCard:
    """What a reparametrization says of itself.

    Attributes:
        summary: one line.
        formula: what the layer sees, in terms of what is stored.
        when: when to use it, and when not.
        reference: paper and equation.
        keeps: whether any weight can be written through it, so that every scheme draws what it declares.
        options: filled in from its fields when it is registered.
    """

    name: str
    summary: str
    formula: str
    when: str
    reference: str
    keeps: bool
    aliases: tuple[str, ...] = ()
    options: tuple[OptionCard, ...] = ()


@dataclass(frozen=True, slots=True)
class Filters:
    """Where the filters of a weight lie: a filter is all that makes one output.

    Attributes:
        unit_axis: the axis that counts the outputs: 1 for a transposed convolution, whose inputs come first.
        groups: of such a convolution; elsewhere the groups lie in the outputs, and every row is a filter as it is.
    """

    unit_axis: int = 0
    groups: int = 1

    def split(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight with an axis for its groups where a filter ends at them; ``join`` is the way back."""
        return weight.reshape(self.groups, -1, *weight.shape[1:]) if self._grouped else weight

    def join(self, weight: torch.Tensor) -> torch.Tensor:
        """A split weight in its own shape."""
        return weight.flatten(0, 1) if self._grouped else weight

    def mean(self, split: torch.Tensor) -> torch.Tensor:
        """The mean of every filter of a split weight, shaped to broadcast."""
        kept = {0, 2} if self._grouped else {self.unit_axis}
        return split.mean([axis for axis in range(split.dim()) if axis not in kept], keepdim=True)

    def per_unit(self, vector: torch.Tensor, split: torch.Tensor) -> torch.Tensor:
        """A number per output, shaped to broadcast over a split weight."""
        shape = [1] * split.dim()
        if self._grouped:
            shape[0] = self.groups
        shape[2 if self._grouped else self.unit_axis] = -1
        return vector.reshape(shape)

    @property
    def _grouped(self) -> bool:
        return self.unit_axis == 1 and self.groups > 1


@dataclass(frozen=True, slots=True)
class Layout:
    """How the weight of a layer is laid out.

    Attributes:
        filters: where its filters lie.
        fan_in: how many values one output sums over.
        units: the number of outputs.
    """

    filters: Filters
    fan_in: float
    units: int


class Parametrization(BaseModel, ABC):
    """A reparametrization with its options chosen: a frozen pydantic model whose fields are the options.

    Attributes:
        card: what ``explain`` and ``ls`` show.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    card: ClassVar[ParametrizationCard]

    @abstractmethod
    def attach(self, module: nn.Module, tensor: str, layout: Layout) -> None:
        """Put it on one weight of a layer, through ``torch.nn.utils.parametrize``.

        The ``right_inverse`` of the module that computes the weight says what is stored when somebody assigns one.

        Args:
            module: the layer.
            tensor: the weight's name in it.
            layout: how the weight is laid out.
        """


PARAMETRIZATIONS: Registry[type[Parametrization]] = Registry(
    "parametrization", "initprobe.parametrizations", "initprobe.parametrizations"
)

Leaf = TypeVar("Leaf", bound=type[Parametrization])


def register(leaf: Leaf) -> Leaf:
    """Take in a reparametrization under the name and the aliases of its card."""
    leaf.card = replace(leaf.card, options=option_cards(leaf))
    PARAMETRIZATIONS.add(leaf.card.name, leaf, aliases=leaf.card.aliases)
    return leaf


MADE_BY = "reparametrized_by"
"""The attribute of a module on the weight that tells what put it there."""


def carried(module: nn.Module, tensor: str) -> Parametrization | None:
    """What ``reparametrize`` put on a weight, None where it put nothing."""
    if not parametrize.is_parametrized(module, tensor):
        return None
    made = (getattr(one, MADE_BY, None) for one in computing(module, tensor))
    return next((one for one in made if isinstance(one, Parametrization)), None)


def computing(module: nn.Module, tensor: str) -> parametrize.ParametrizationList:
    """The modules that compute a parametrized weight, one behind the other; they hold what is stored."""
    found = module.get_submodule(f"parametrizations.{tensor}")
    if not isinstance(found, parametrize.ParametrizationList):
        raise TypeError(f"{tensor} is not parametrized by torch.nn.utils.parametrize")
    return found


MOST_READS = 50
AT_REST = 1e-4


def settle(module: nn.Module, tensor: str) -> None:
    """Let a parametrization that comes closer with every pass (spectral norm's power iteration) come to rest.

    What was estimated of other numbers is wrong for those that have just been written. A parametrization without
    buffers keeps nothing from pass to pass, and is left alone; so is what has no numbers yet, on the meta device.
    """
    found = computing(module, tensor)
    buffer = next(found.buffers(), None)
    if buffer is None or buffer.is_meta:
        return
    with torch.no_grad(), _training(found), random_state_kept(getattr(found, "original", None)):
        seen = found()
        for _ in range(MOST_READS):
            before, seen = seen, found()
            if not bool((seen - before).abs().max() > AT_REST * seen.abs().max()):
                return


@contextmanager
def _training(modules: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in modules.modules()]
    modules.train()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def random_state_kept(beside: torch.Tensor | None) -> Iterator[None]:
    """The global generators of the CPU and of a tensor's device come back as they were."""
    devices = [beside.device] if beside is not None and beside.is_cuda else []
    with torch.random.fork_rng(devices):
        yield


def geometry(weight: torch.Tensor, module: nn.Module, unit_axis: int) -> Layout:
    """The layout of a weight, its fans as the arithmetic has them.

    A transposed convolution of stride s sums over one of s taps per axis for each of its outputs.
    """
    units = weight.shape[unit_axis]
    fan_in = weight.numel() / max(units, 1)
    if not isinstance(module, nn.modules.conv._ConvNd) or not module.transposed:  # noqa: SLF001 - the one name of all
        return Layout(Filters(unit_axis), fan_in, units)
    groups = module.groups
    return Layout(Filters(1, groups), fan_in / groups / math.prod(module.stride), units * groups)
