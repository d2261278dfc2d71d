"""One use of a parameter by one operation, and the activations around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from initprobe.dissect.flow import is_shift
from initprobe.dissect.tape import Node, Operand
from initprobe.records import MULTIPLYING_ROLES, ActivationUse, Attention, Part, Role


@dataclass(frozen=True, slots=True)
class Inside:
    """A weight's place inside a function that applies several, one behind the other.

    Attributes:
        stage: how many other weights come before it.
        last: whether none comes behind it.
        before, behind: the activations around it, as far as the function tells.
    """

    stage: int = 0
    last: bool = True
    before: ActivationUse | None = None
    behind: ActivationUse | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a weight (or of a bias, a norm's scale ...) by one operation.

    Attributes:
        unit_axis: axis of the *parameter* that counts outputs.
        output_axis: axis of the operation's *output* that counts units, from the end.
        parts, attention, recurrent: as in the record, where the operation alone tells.
        inside: its place in an operation with several weights.
    """

    node: Node
    parameter: str
    role: Role
    fan_in: float | None = None
    fan_out: float | None = None
    unit_axis: int | None = None
    output_axis: int | None = None
    parts: tuple[Part, ...] = ()
    attention: Attention | None = None
    recurrent: Literal["input", "hidden"] | None = None
    inside: Inside | None = None

    @property
    def stage(self) -> int:
        """How many weights of the same operation come before it."""
        return 0 if self.inside is None else self.inside.stage

    @property
    def last(self) -> bool:
        """Whether no weight of the same operation comes behind it."""
        return self.inside is None or self.inside.last

    @property
    def activations(self) -> tuple[ActivationUse | None, ActivationUse | None]:
        """The ones before and behind it."""
        if self.role not in {*MULTIPLYING_ROLES, "embedding"}:
            return None, None
        if self.inside is not None:
            return self.inside.before, self.inside.behind
        return activation_before(self.node), activation_behind(self.node)


Uses = Mapping[Node, list[Use]]
"""The uses of parameters by the node that makes them."""


def multiplying(uses: Uses, node: Node) -> list[Use]:
    """The weights that an operation multiplies a signal with."""
    return [use for use in uses.get(node, ()) if use.role in MULTIPLYING_ROLES]


def operand_of(value: object) -> Operand | None:
    """The parameter behind an argument, None where it is a signal or no tensor at all."""
    return value.operand if isinstance(value, Node) else None


def activation_before(node: Node) -> ActivationUse | None:
    """The activation that made the signal a weight multiplies; a normalization in between hides it."""
    if node.signal is None:
        return None
    return node.signal.back("view", "pass").activation


def activation_behind(node: Node) -> ActivationUse | None:
    """The first activation that a weight's output meets, through views, pooling, a bias and a normalization."""
    queue, seen = list(node.consumers), {node}
    while queue:
        consumer = queue.pop(0)
        if consumer in seen:
            continue
        seen.add(consumer)
        if consumer.activation is not None:
            return consumer.activation
        if is_shift(consumer) or consumer.effect in {"view", "pass", "norm"}:
            queue.extend(consumer.consumers)
    return None
