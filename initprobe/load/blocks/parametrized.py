"""Layers whose weights are computed in every pass: weight norm, spectral norm and the other reparametrizations."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError, create_model

from initprobe.cards import option_mistake
from initprobe.errors import UsageError
from initprobe.load.blocks.base import Branch, Incoming, Layer, Layers, Misfit, block
from initprobe.parametrizations.base import PARAMETRIZATIONS
from initprobe.parametrizations.reparametrize import reparametrize


class Parametrized(Layer):
    """Layers whose weights are computed from stored ones in every pass: weight norm, spectral norm, equalized ..."""

    tokens: ClassVar[bool] = True
    choices: ClassVar[frozenset[str]] = frozenset()

    layers: Layers = Field(description="The layers, first to last; every linear and convolutional one carries it")
    how: str

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.Sequential`` of the layers, reparametrized."""
        branch = incoming.sequence(self.layers, "layers")
        given = {key: value for key in sorted(self.choices) if (value := getattr(self, key)) is not None}
        self._check(given)
        try:
            reparametrize(branch.module, self.how, **given)
        except UsageError as error:
            raise Misfit(f"cannot carry {self.how}: {error}", hint=error.hint, key="layers") from error
        return branch

    def _check(self, given: dict[str, Any]) -> None:
        """Whether the options are those of the chosen one."""
        leaf = PARAMETRIZATIONS.find(self.how)
        try:
            leaf.model_validate(given)
        except ValidationError as error:
            mistake = option_mistake("parametrization", leaf.card.name, leaf.card.options, given, error)
            key = str(error.errors()[0]["loc"][0]) if error.errors()[0]["loc"] else "with"
            raise Misfit(f"is wrong: {mistake}", hint=mistake.hint, key=key) from error

    def modules(self) -> int:
        """Itself, and for every layer inside up to two more that compute its weight."""
        return 1 + 3 * sum(layer.modules() for layer in self.layers)


def with_options() -> type[Parametrized]:
    """The layer with the options of every reparametrization that there is."""
    names = [alias for name in PARAMETRIZATIONS for alias in (name, *PARAMETRIZATIONS.aliases_of(name))]
    known: Any = Literal[tuple(names)]
    fields: dict[str, Any] = {
        "how": (known, Field(alias="with", description="What computes the weights (`initprobe ls parametrizations`)"))
    }
    owners: dict[str, list[str]] = {}
    for name, leaf in PARAMETRIZATIONS.items():
        for key, field in leaf.model_fields.items():
            owners.setdefault(key, []).append(name)
            about = f"Of {' and '.join(owners[key])}: {field.description}"
            kind: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
            fields[key] = (kind | None, Field(default=None, description=about))
    layer = create_model(
        "Parametrized", __base__=Parametrized, __module__=__name__, __doc__=Parametrized.__doc__, **fields
    )
    layer.choices = frozenset(owners)
    return layer


block("parametrized")(with_options())
