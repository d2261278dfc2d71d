"""What a scheme is: a card, options, a declared standard deviation per weight, and a draw.

A scheme is a frozen pydantic model. Its fields are its options, its card says what it is, and an instance is the scheme
with its options chosen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from initprobe.init.distributions import constant, normal
from initprobe.init.fans import UndrawableError
from initprobe.records import Option, Role, Weight
from initprobe.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor, nn

    from initprobe.variates import Variates

Treatment = Literal["draw", "zero", "unit", "keep"]

TREATMENTS: Mapping[Role, Treatment] = {
    "linear": "draw",
    "conv": "draw",
    "depthwise": "draw",
    "transposed": "draw",
    "recurrent": "draw",
    "other": "draw",
    "embedding": "unit",
    "bias": "zero",
    "norm": "keep",
    "gate": "keep",
}
"""What happens to a parameter of each role unless a scheme says otherwise.

``draw``: the scheme draws it. ``zero``: it becomes zero, as the papers assume of biases. ``unit``: N(0, 1), because a
lookup sums over nothing and has no activation before it, so that no fan and no gain applies. ``keep``: it stays what it
is, one and zero in a fresh normalization, whatever the model chose for the gate of a residual branch.
"""

EMBEDDINGS_TOO: Mapping[Role, Treatment] = {"embedding": "draw"}
"""For schemes whose width knows nothing of fans and gains."""

BY_NAME = "match the parameter by its own name to draw it"
KEPT: Mapping[Role, str] = {
    "norm": f"a normalization keeps its scale and shift; {BY_NAME}",
    "gate": f"the gate of a residual branch keeps its scale; {BY_NAME}",
    "bias": f"a table that is added is no layer's bias; {BY_NAME}",
    "other": f"nothing was seen to use it as a weight or a bias; {BY_NAME}",
}
"""Why a parameter is kept, by role."""


@dataclass(frozen=True, slots=True)
class OptionCard:
    """One option of a scheme.

    Attributes:
        accepts: what it may be, as text (``number > 0 | auto``).
    """

    name: str
    accepts: str
    default: Option
    description: str = ""


@dataclass(frozen=True, slots=True)
class SchemeCard:
    """What a scheme says of itself.

    Attributes:
        summary: one line.
        formula: what is drawn.
        when: when to use it, and when not.
        reference: paper and equation.
        options: filled in from the scheme's fields when it is registered.
    """

    name: str
    summary: str
    formula: str
    when: str
    reference: str
    aliases: tuple[str, ...] = ()
    options: tuple[OptionCard, ...] = ()


@dataclass(frozen=True, slots=True)
class Filled:
    """New values of a parameter, in its shape, float32 or float64, and the standard deviation declared for them."""

    values: Tensor
    std: float | None


class Scheme(BaseModel, ABC):
    """Draws one weight at a time, from the weight's record and base variates alone.

    Attributes:
        card: what ``explain`` and ``ls`` show.
        treatments: where this scheme departs from ``TREATMENTS``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    card: ClassVar[SchemeCard]
    treatments: ClassVar[Mapping[Role, Treatment]] = {}

    @abstractmethod
    def declared_std(self, weight: Weight) -> float | None:
        """The standard deviation declared for a weight, None where the scheme declares none.

        Raises:
            UndrawableError: the scheme can do nothing with this weight.
        """

    @abstractmethod
    def draw(self, weight: Weight, variates: Variates) -> Tensor:
        """Values of ``weight.shape``, float32 or float64, on the CPU.

        Raises:
            UndrawableError: the scheme can do nothing with this weight.
        """

    def treatment(self, weight: Weight) -> Treatment:
        """What happens to a parameter, by its role.

        Slopes and gates (vectors of unknown role) and what else is added than vectors (tables of positions) are kept.
        """
        vector = len(weight.shape) < 2
        if (weight.role == "other" and vector) or (weight.role == "bias" and not vector):
            return "keep"
        return {**TREATMENTS, **self.treatments}[weight.role]

    def fill(self, weight: Weight, module: nn.Module, variates: Variates) -> Filled:
        """New values for any parameter, by its treatment.

        Args:
            weight: the parameter.
            module: the module that owns it, for schemes that follow the layer's type.
            variates: its base variates.

        Raises:
            UndrawableError: it is kept as it is, or the scheme can do nothing with it.
        """
        treatment = self.treatment(weight)
        if treatment == "keep":
            raise UndrawableError(KEPT.get(weight.role, f"this scheme keeps every {weight.role}"))
        if treatment == "zero":
            return Filled(constant(weight.shape, 0.0), 0.0)
        if treatment == "unit":
            return Filled(normal(variates, weight.shape, 1.0), 1.0)
        return self.fill_chosen(weight, module, variates)

    def fill_chosen(self, weight: Weight, module: nn.Module, variates: Variates) -> Filled:  # noqa: ARG002 - see fill
        """New values for a parameter that was chosen by name, or that is drawn anyway: its role does not matter.

        Raises:
            UndrawableError: the scheme can do nothing with it.
        """
        return Filled(self.draw(weight, variates), self.declared_std(weight))


SCHEMES: Registry[type[Scheme]] = Registry("scheme", "initprobe.init.schemes", "initprobe.schemes")

Leaf = TypeVar("Leaf", bound=type[Scheme])


def register(leaf: Leaf) -> Leaf:
    """Take in a scheme under the name and the aliases of its card."""
    leaf.card = replace(leaf.card, options=option_cards(leaf))
    SCHEMES.add(leaf.card.name, leaf, aliases=leaf.card.aliases)
    return leaf


def option_cards(leaf: type[Scheme]) -> tuple[OptionCard, ...]:
    """The options of a scheme, read off its fields."""
    properties = leaf.model_json_schema()["properties"] if leaf.model_fields else {}
    return tuple(
        OptionCard(name, _accepts(properties[name]), field.default, field.description or "")
        for name, field in leaf.model_fields.items()
    )


def _accepts(schema: Mapping[str, Any]) -> str:
    """A JSON schema of one value as a person reads it."""
    if "anyOf" in schema:
        return " | ".join(_accepts(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    words = {"number": "number", "integer": "whole number", "boolean": "True | False", "null": "None"}
    text = words.get(schema.get("type", ""), "text")
    bounds = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
    limits = [f"{sign} {schema[key]:g}" for key, sign in bounds.items() if key in schema]
    return f"{text} {' and '.join(limits)}" if limits else text
