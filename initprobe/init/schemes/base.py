"""What a scheme is: a card, options, a declared standard deviation per weight, and a draw.

A scheme is a frozen pydantic model. Its fields are its options, its card says what it is, and an instance is the scheme
with its options chosen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from initprobe.cards import OptionCard, option_cards
from initprobe.init.distributions import constant, normal
from initprobe.init.fans import UndrawableError
from initprobe.init.packed import covered, parts_of, rows
from initprobe.records import Part, Role, Weight
from initprobe.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.init.calibration import Calibration
    from initprobe.init.network import Network
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


Family = Literal["classical", "convolution", "recurrent", "transformer", "residual", "data", "width", "growing"]
"""What a scheme is made for; the catalogue is sorted by it."""

FAMILIES: Mapping[Family, str] = {
    "classical": "one weight at a time, by its fans and its activation",
    "convolution": "for the structure of convolutions",
    "recurrent": "for layers that are unrolled over time",
    "transformer": "for attention and feed-forward branches",
    "residual": "for residual networks, with and without normalization",
    "data": "looks at data, at gradients or at the whole network",
    "width": "for transfer of hyper-parameters between widths and depths, and for layers that rescale their weights",
    "growing": "starts from weights that are there",
}


@dataclass(frozen=True, slots=True)
class SchemeCard:
    """What a scheme says of itself.

    Attributes:
        summary: one line.
        formula: what is drawn.
        assumes: what its derivation takes for granted of the network and its inputs.
        when: when to use it, and when not.
        reference: paper and equation.
        options: filled in from the scheme's fields when it is registered.
    """

    name: str
    family: Family
    summary: str
    formula: str
    assumes: str
    when: str
    reference: str
    aliases: tuple[str, ...] = ()
    options: tuple[OptionCard, ...] = ()


@dataclass(frozen=True, slots=True)
class Filled:
    """New values of a parameter.

    Attributes:
        values: in its shape, float32 or float64, on the CPU.
        std: the standard deviation declared for them, None where none is.
        learning_rate: what the paper multiplies the learning rate of this parameter by.
        note: what could not be done for it, None where everything was.
        stored: whether the values are those of the parameter behind a parametrization, and not those that the layer
            sees.
    """

    values: Tensor
    std: float | None
    learning_rate: float = 1.0
    note: str | None = None
    stored: bool = False


class Scheme(BaseModel, ABC):
    """Draws the weights of a network one at a time, each from its record, the network around it and base variates.

    Attributes:
        card: what ``explain`` and ``ls`` show.
        treatments: where this scheme departs from ``TREATMENTS``.
        calibrates: whether ``calibrate`` has to be called when every weight is drawn.
        reads: what it looks at besides network and batch, where that is given: ``loss``, ``source``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    card: ClassVar[SchemeCard]
    treatments: ClassVar[Mapping[Role, Treatment]] = {}
    calibrates: ClassVar[bool] = False
    reads: ClassVar[frozenset[str]] = frozenset()

    def check_network(self, network: Network) -> None:
        """Make sure that the network has what the scheme is about.

        Raises:
            UsageError: it has not, with what is missing and what to do.
        """

    def treatment(self, weight: Weight) -> Treatment:
        """What happens to a parameter, by its role.

        Slopes and gates (vectors of unknown role) and what else is added than vectors (tables of positions) are kept.
        """
        vector = len(weight.shape) < 2
        if (weight.role == "other" and vector) or (weight.role == "bias" and not vector):
            return "keep"
        return {**TREATMENTS, **self.treatments}[weight.role]

    def fill(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """New values for any parameter, by its treatment.

        Args:
            weight: the parameter.
            network: what is around it.
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
        return self.fill_chosen(weight, network, variates)

    def fill_chosen(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """New values for a parameter that was chosen by name, or that is drawn anyway: its role does not matter.

        Matrices that are packed into one parameter are drawn one by one, each as a weight of its own.

        Raises:
            UndrawableError: the scheme can do nothing with it.
        """
        if len(weight.parts) < 2 or not covered(weight):
            return self.fill_weight(weight, network, variates)
        return joined(
            weight,
            [(part, self.fill_weight(record, network, share)) for part, record, share in parts_of(weight, variates)],
        )

    @abstractmethod
    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """New values for one matrix; ``weight.parts[0]`` tells which one where several are packed into a parameter.

        Raises:
            UndrawableError: the scheme can do nothing with it.
        """

    def remarks(self, network: Network) -> Sequence[str]:  # noqa: ARG002 - most schemes have nothing to say here
        """What holds for the network as a whole, above all what the paper asks for and no initialization can do."""
        return ()

    def calibrate(self, calibration: Calibration) -> Sequence[str]:  # noqa: ARG002 - most schemes do nothing here
        """Change what was drawn after a look at data, gradients or the whole network; answers with what to tell.

        Raises:
            UsageError: the network cannot be calibrated.
        """
        return ()


class WeightScheme(Scheme):
    """Draws every weight from its record and base variates alone."""

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

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:  # noqa: ARG002 - see above
        """The numbers drawn, and the standard deviation declared for them."""
        return Filled(self.draw(weight, variates), self.declared_std(weight))


def joined(weight: Weight, filled: Sequence[tuple[Part, Filled]]) -> Filled:
    """The parts of a parameter put together; what they do not agree on is not declared.

    The learning rate is that of the first part: an optimizer knows only whole parameters.
    """
    import torch

    first = filled[0][1]
    values = torch.empty(weight.shape, dtype=torch.promote_types(first.values.dtype, torch.float32))
    for part, one in filled:
        values.index_copy_(part.axis, rows(part), one.values.to(values.dtype))
    stds = {one.std for _, one in filled}
    return replace(first, values=values, std=first.std if len(stds) == 1 else None, note=_joined_notes(filled))


def _joined_notes(filled: Sequence[tuple[Part, Filled]]) -> str | None:
    """What is told of the parts: once, with the names of those that it is about unless these are all."""
    names: dict[str, dict[str, None]] = {}
    for part, one in filled:
        if one.note:
            names.setdefault(one.note, {})[part.name] = None
    told = [
        note if len(parts) == len({part.name for part, _ in filled}) else f"{', '.join(parts)}: {note}"
        for note, parts in names.items()
    ]
    return "; ".join(told) or None


SCHEMES: Registry[type[Scheme]] = Registry("scheme", "initprobe.init.schemes", "initprobe.schemes")

Leaf = TypeVar("Leaf", bound=type[Scheme])


def register(leaf: Leaf) -> Leaf:
    """Take in a scheme under the name and the aliases of its card."""
    leaf.card = replace(leaf.card, options=option_cards(leaf))
    SCHEMES.add(leaf.card.name, leaf, aliases=leaf.card.aliases)
    return leaf
