"""What an objective is: a card, options, and a loss of a model's output whose labels or targets are drawn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field

from initprobe.cards import OptionCard, option_cards
from initprobe.errors import TargetError, UsageError
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

    def loss(self, output: Any, seed: int, labels: torch.Tensor | None = None) -> torch.Tensor:
        """The loss of whatever a model puts out; the same seed draws the same labels and targets.

        Args:
            output: of the model.
            seed: what labels and targets are drawn from.
            labels: those of a data file, a row for each sample; drawn when not given.

        Raises:
            TargetError: the output is nothing that the objective can take.
            UsageError: the labels are nothing that it can take.
        """
        found = [tensor for _, tensor in tensors_in(output) if tensor.is_floating_point() and tensor.numel()]
        if not found:
            self.unfit("no floating-point numbers")
        wide = [tensor.to(torch.promote_types(tensor.dtype, torch.float32)) for tensor in found]
        if labels is not None:
            return self.against(wide, labels)
        return self.value(wide, Variates(seed, TARGETS))

    def against(self, outputs: Sequence[torch.Tensor], labels: torch.Tensor) -> torch.Tensor:  # noqa: ARG002 - none fit
        """One number that depends on the outputs and on labels that are known.

        Raises:
            UsageError: there is nothing that labels could be.
        """
        raise UsageError(f"{self.card.name} takes no labels")

    def unfit(self, what: str, hint: str | None = None) -> NoReturn:
        """Say that the model puts out something else than the objective takes.

        Args:
            what: what it puts out.
            hint: what to do; the objective that may be meant.

        Raises:
            TargetError: always.
        """
        raise TargetError(f"{self.card.name} takes {self.card.takes}; the model puts out {what}", hint=hint)


LABELS: Any = Field(
    None,
    min_length=1,
    description="array with the labels, in the .npz file that the input comes from; drawn when not given",
)
"""The option of objectives that take labels."""


class Supervised(Objective):
    """An objective that compares the first output with a label, one that is drawn or one of a data file."""

    if TYPE_CHECKING:  # each leaf says where it stands among its options
        labels: str | None

    @abstractmethod
    def fitted(self, labels: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        """Labels of a file in the shape and the dtype that ``compared`` takes them in.

        Args:
            labels: a row for each sample.
            shape: that of the output for one sample.

        Raises:
            UsageError: they are not what the objective compares such an output with; ``refused`` makes it.
            TargetError: it takes no such output.
        """

    @abstractmethod
    def compared(self, output: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """One number: how far the output is from its labels."""

    def against(self, outputs: Sequence[torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
        """See ``Objective.against``."""
        output = outputs[0]
        if output.dim() == 0 or len(output) != len(labels):
            self.unfit(f"{shapes(outputs[:1])} for {len(labels)} samples", hint="leave out `labels` to draw them")
        return self.compared(output, self.fitted(labels, tuple(output.shape[1:])))

    def refused(self, wanted: str, labels: torch.Tensor) -> UsageError:
        """What to say of labels that are something else than what is wanted."""
        kind = str(labels.dtype).removeprefix("torch.")
        low, high = (one.item() for one in labels.aminmax()) if labels.numel() else ("-", "-")
        held = f"{kind} of shape {tuple(labels.shape[1:])} each, from {low} to {high}"
        return UsageError(f"{self.card.name} wants {wanted} as labels; {self.labels!r} has {held}")


def as_output(labels: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor | None:
    """Labels in the shape of an output, None where they have another one; a single number needs no axis of its own."""
    rows = len(labels)
    if tuple(labels.shape[1:]) == shape or (*labels.shape[1:], 1) == shape:
        return labels.reshape(rows, *shape)
    return None


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
