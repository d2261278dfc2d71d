"""Puts a reparametrization on the weights of a model's layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

import torch
from pydantic import ValidationError
from torch import nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

from initprobe.cards import option_mistake
from initprobe.errors import UsageError
from initprobe.parametrizations.base import (
    MADE_BY,
    PARAMETRIZATIONS,
    Parametrization,
    carried,
    computing,
    geometry,
)

WHAT = "weight of a linear or convolutional layer"


@dataclass(frozen=True, slots=True)
class Place:
    """A weight that a layer multiplies its input with.

    Attributes:
        path: of the layer.
        module: the layer.
        tensor: the weight's name in it.
        unit_axis: the axis that counts the outputs.
    """

    path: str
    module: nn.Module
    tensor: str
    unit_axis: int

    @property
    def name(self) -> str:
        """The weight's name before it is parametrized."""
        return f"{self.path}.{self.tensor}" if self.path else self.tensor

    @property
    def names(self) -> tuple[str, ...]:
        """What a glob may match: the weight, its layer, and the modules around that."""
        parts = self.path.split(".") if self.path else []
        return (self.name, *(".".join(parts[:end]) for end in range(1, len(parts) + 1)))

    @property
    def parameter(self) -> nn.Parameter | None:
        """The weight where it is a plain parameter."""
        return self.module._parameters.get(self.tensor)  # noqa: SLF001 - asked as an attribute, it may be computed


def reparametrize(model: nn.Module, name: str, *, only: str | Sequence[str] = (), **options: Any) -> tuple[str, ...]:
    """Let layers compute their weights from stored parameters: ``reparametrize(model, "equalized", lr_mul=0.01)``.

    It changes the weights of linear and convolutional layers and of attention's projections in place, and neither
    biases nor normalizations nor embeddings, nor what is tied to one of those. Weights that layers share stay shared,
    and projections that attention packs into one parameter count as one matrix.
    What a weight was is stored through the right inverse: ``equalized`` and ``weight_norm`` leave what the layers
    compute as it was, the others change it. An optimizer has to be made afterwards.

    Args:
        model: its layers are changed; parameters are then named ``LAYER.parametrizations.weight.original``.
        name: of the reparametrization, or an alias (``initprobe ls parametrizations``).
        only: globs of weights or modules; empty for all. ``*`` crosses dots.
        options: of the reparametrization.

    Returns:
        Names of the weights that now carry it, those that carried the very same before included.

    Raises:
        UsageError: the name, an option or its value is unknown, a glob matches nothing, or a weight that is meant has
            no shape yet or is parametrized otherwise. Nothing has been changed then.
    """
    if not isinstance(model, nn.Module):
        raise UsageError(f"{type(model).__name__} is no nn.Module", hint="build the model first, and give that")
    chosen = _build(name, options)
    places = _narrowed(model, list(_places(model)), _globs(only))
    waiting = [place for place in places if not _carries(place, chosen)]
    for place in waiting:
        _check_free(place)
    for sharing in _shared(waiting):
        _attach(sharing, chosen)
    return tuple(place.name for place in places)


def _globs(only: object) -> tuple[str, ...]:
    globs = (only,) if isinstance(only, str) else tuple(only) if isinstance(only, Iterable) else (only,)
    for glob in globs:
        if not isinstance(glob, str):
            raise UsageError(f"only takes shell patterns, not {type(glob).__name__}", hint='only="head.*", or a list')
    return globs


def _build(name: str, options: Mapping[str, Any]) -> Parametrization:
    if not isinstance(name, str):
        raise UsageError(f"a parametrization is named by text such as 'weight_norm', not {type(name).__name__}")
    called, bracket, _ = name.partition("(")
    if bracket and called in PARAMETRIZATIONS:
        raise UsageError(
            f"{name!r} has its options in its name", hint=f'reparametrize(model, "{called}", option=value)'
        )
    leaf = PARAMETRIZATIONS.find(name)
    try:
        return leaf.model_validate(dict(options))
    except ValidationError as error:
        raise option_mistake("parametrization", leaf.card.name, leaf.card.options, options, error) from None


def _places(model: nn.Module) -> Iterator[Place]:
    """Every weight of a layer that multiplies, a shared one once per layer; none that an embedding shares."""
    found = [
        Place(path, module, tensor, unit_axis)
        for path, module in model.named_modules()
        for tensor, unit_axis in _weights_of(module).items()
    ]
    own = {(id(place.module), place.tensor) for place in found}
    elsewhere = {
        id(parameter)
        for module in model.modules()
        for tensor, parameter in module._parameters.items()  # noqa: SLF001 - shared ones are told once otherwise
        if parameter is not None and (id(module), tensor) not in own
    }
    for place in found:
        parameter = place.parameter
        if parameter is None:
            if parametrize.is_parametrized(place.module, place.tensor):
                yield place
        elif id(parameter) not in elsewhere and _multiplies(parameter):
            yield place


def _multiplies(parameter: nn.Parameter) -> bool:
    """Whether there are real numbers in it, or will be."""
    if is_lazy(parameter):
        return True
    return parameter.is_floating_point() and parameter.numel() > 0


def _weights_of(module: nn.Module) -> dict[str, int]:
    """The names of the weights that a layer multiplies its input with, and the axis that counts their outputs."""
    if isinstance(module, nn.Linear):
        return {"weight": 0}
    if isinstance(module, nn.modules.conv._ConvNd):  # noqa: SLF001 - the one name of all convolutions
        return {"weight": 1 if module.transposed else 0}
    if isinstance(module, nn.MultiheadAttention):
        return dict.fromkeys(("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"), 0)
    if type(module).__name__ == "Conv1D" and {"nx", "nf"} <= vars(module).keys():  # GPT-2's, of transformers
        return {"weight": 1}
    return {}


def _narrowed(model: nn.Module, places: Sequence[Place], globs: Sequence[str]) -> list[Place]:
    """The places that a glob matches."""
    if not places:
        raise UsageError(
            f"the model has no {WHAT}", hint=f"a {type(model).__name__} has none that torch.nn.Linear or a conv made"
        )
    known = dict.fromkeys(name for place in places for name in place.names)
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in known):
            near = get_close_matches(glob, known, n=3)
            hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are {', '.join([*known][:5])} …"
            raise UsageError(f"{glob!r} matches no {WHAT}", hint=hint)
    return [
        place for place in places if not globs or any(fnmatchcase(name, glob) for glob in globs for name in place.names)
    ]


def _carries(place: Place, chosen: Parametrization) -> bool:
    """Whether a weight carries the very same already."""
    return carried(place.module, place.tensor) == chosen


def _check_free(place: Place) -> None:
    """Make sure that a weight can be parametrized.

    Raises:
        UsageError: it cannot, with what to do.
    """
    if parametrize.is_parametrized(place.module, place.tensor):
        made = carried(place.module, place.tensor)
        what = made.card.name if made else type(computing(place.module, place.tensor)[-1]).__name__.strip("_")
        options = ", ".join(f"{key}={value}" for key, value in made) if made else ""
        raise UsageError(
            f"{place.name!r} is parametrized already, by {what}{f'({options})' if options else ''}",
            hint=f"torch.nn.utils.parametrize.remove_parametrizations(layer, {place.tensor!r}) takes that off",
        )
    parameter = place.parameter
    if parameter is not None and is_lazy(parameter):
        raise UsageError(
            f"{place.name!r} has no shape yet",
            hint="lazy layers take their shape from the first forward: call the model once before",
        )


def _shared(places: Sequence[Place]) -> list[list[Place]]:
    """The places by the parameter that lies there; layers that share one come together."""
    groups: dict[int, list[Place]] = {}
    for place in places:
        groups.setdefault(id(place.parameter), []).append(place)
    return list(groups.values())


def _attach(sharing: Sequence[Place], chosen: Parametrization) -> None:
    """Put it on one weight, for every layer that has it."""
    first, *others = sharing
    parameter = first.parameter
    if parameter is None:
        raise AttributeError(f"{first.name} is no parameter")
    values = parameter.detach().clone()
    for place in sharing:
        with torch.no_grad():
            parameter.copy_(values)  # the layer before has stored something else in the parameter that they share
        chosen.attach(place.module, place.tensor, geometry(parameter, place.module, place.unit_axis))
        for made in computing(place.module, place.tensor):
            setattr(made, MADE_BY, chosen)
    stored = computing(first.module, first.tensor)
    for place in others:
        for key in dict(stored.named_parameters(recurse=False)):
            setattr(computing(place.module, place.tensor), key, getattr(stored, key))
