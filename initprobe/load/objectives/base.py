"""What an objective is: a card, options, and a loss of a model's output whose labels or targets are drawn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NoReturn, TypeVar

import torch
from pydantic import BaseModel, ConfigDict

from initprobe.cards import OptionCard, option_cards
from initprobe.errors import TargetError
from initprobe.hooks import tensors_in
from initprobe.registry import Registry
from initprobe.variates import Variates

TARGETS = "@targets"
"""Name of the variates that labels and targets are made of."""


@dataclass(frozen=True, slots=True)
class ObjectiveCard:
    """What an objective says of itself.

    Attributes:
        summary: one line.
        formula: the number that is differentiated.
        takes: what the model has to put out.
        when: what it is for, and what is drawn.
        reference: paper and equation, or empty.
        options: filled in from its fields when it is registered.
    """

    name: str
    summary: str
    formula: str
    takes: str
    when: str
    reference: str = ""
    aliases: tuple[str, ...] = ()
    options: tuple[OptionCard, ...] = ()


class Objective(BaseModel, ABC):
    """An objective with its options chosen: a frozen pydantic model whose fields are the options.

    Attributes:
        card: what ``explain`` and ``ls`` show.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    card: ClassVar[ObjectiveCard]

    @abstractmethod
    def value(self, outputs: Sequence[torch.Tensor], targets: Variates) -> torch.Tensor:
        """One number that depends on the outputs.

        Args:
            outputs: the floating-point tensors of the model's output, in float32 at least; there is one at least.
            targets: what labels and targets are drawn from.

        Raises:
            TargetError: the outputs are not what ``card.takes`` says; ``unfit`` raises it.
        """

    def loss(self, output: Any, seed: int) -> torch.Tensor:
        """The loss of whatever a model puts out; the same seed draws the same labels and targets.

        Raises:
            TargetError: the output is nothing that the objective can take.
        """
        found = [tensor for _, tensor in tensors_in(output) if tensor.is_floating_point() and tensor.numel()]
        if not found:
            self.unfit("no floating-point numbers")
        wide = [tensor.to(torch.promote_types(tensor.dtype, torch.float32)) for tensor in found]
        return self.value(wide, Variates(seed, TARGETS))

    def unfit(self, what: str, hint: str | None = None) -> NoReturn:
        """Say that the model puts out something else than the objective takes.

        Args:
            what: what it puts out.
            hint: what to do; the objective that may be meant.

        Raises:
            TargetError: always.
        """
        raise TargetError(f"{self.card.name} takes {self.card.takes}; the model puts out {what}", hint=hint)


def shapes(outputs: Sequence[torch.Tensor]) -> str:
    """The shapes of a model's outputs in a sentence."""
    return ", ".join(str(tuple(one.shape)) for one in outputs)


def drawn(variates: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Drawn numbers where the output is, in its dtype."""
    return variates.to(like)


OBJECTIVES: Registry[type[Objective]] = Registry("objective", "initprobe.load.objectives", "initprobe.objectives")

Leaf = TypeVar("Leaf", bound=type[Objective])


def register(leaf: Leaf) -> Leaf:
    """Take in an objective under the name and the aliases of its card."""
    leaf.card = replace(leaf.card, options=option_cards(leaf))
    OBJECTIVES.add(leaf.card.name, leaf, aliases=leaf.card.aliases)
    return leaf
