"""What a scheme may ask about the network around a weight."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

from initprobe.records import Anatomy, Branch, Weight
from initprobe.variates import Variates

if TYPE_CHECKING:
    from torch import Tensor, nn

    from initprobe.init.slots import Slot


Arguments = ParamSpec("Arguments")
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Network:
    """The network that is being drawn, as every scheme sees it.

    Attributes:
        model: the module; schemes read it, and write through the values they answer with.
        anatomy: who its weights are and how they are joined.
        seed: of this draw.
        slots: every weight by its name.
        source: parameters of another network by name, for schemes that grow one out of it; empty elsewhere.
    """

    model: nn.Module
    anatomy: Anatomy
    seed: int = 0
    slots: Mapping[str, Slot] = field(default_factory=dict)
    source: Mapping[str, Tensor] = field(default_factory=dict)
    _found: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    def once(
        self,
        find: Callable[Concatenate[Network, Arguments], Found],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Found:
        """What a function finds in this network, looked up once and not again for every weight.

        Only for what follows from the architecture and the source: values that are drawn in between are not seen.
        """
        key = (find, args, tuple(kwargs.items()))
        if key not in self._found:
            self._found[key] = find(self, *args, **kwargs)
        return cast(Found, self._found[key])

    def module(self, weight: Weight) -> nn.Module:
        """The module that owns a weight."""
        return self.model.get_submodule(weight.module)

    def values(self, weight: Weight) -> Tensor:
        """A copy of the numbers that the layer sees now, float32 or float64 on the CPU, in the shape of the parameter.

        Of a part of a packed parameter these are the numbers of all parts.
        """
        return self.slots[weight.name].read()

    def in_source(self, weight: Weight) -> Tensor | None:
        """The parameter of the source under any of a weight's names, None where it has none."""
        return next((self.source[name] for name in (weight.name, *weight.aliases) if name in self.source), None)

    def beside(self, weight: Weight) -> tuple[Weight, ...]:
        """The weights of the module that a weight lies in, itself included."""
        return self.once(_by_module).get(weight.module, ())

    def branch(self, weight: Weight) -> Branch | None:
        """The innermost residual branch that a weight lies in, None where it lies in none."""
        return None if weight.branch is None else self.anatomy.branches[weight.branch]

    def outer_branch(self, weight: Weight) -> Branch | None:
        """The branch of the main residual stream that a weight lies in, None where it lies in none."""
        found = self.branch(weight)
        while found is not None and found.within is not None:
            found = self.anatomy.branches[found.within]
        return found

    def variates(self, name: str) -> Variates:
        """Base variates under a name of their own, for numbers that several weights share."""
        return Variates(self.seed, name)


def _by_module(network: Network) -> Mapping[str, tuple[Weight, ...]]:
    """All weights by the path of their module."""
    found: dict[str, list[Weight]] = {}
    for weight in network.anatomy.weights:
        found.setdefault(weight.module, []).append(weight)
    return {path: tuple(weights) for path, weights in found.items()}
