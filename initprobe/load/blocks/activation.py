"""Every activation of torch.nn, with the options that its entry in ``initprobe.activations`` names; and the sine."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field, create_model
from torch import nn

from initprobe.activations.base import ACTIVATIONS, Activation
from initprobe.load.blocks.base import Branch, Flag, Incoming, Layer, Misfit, Number, Wanted, block


class Sine(nn.Module):
    """sin(x), which torch has as a function only."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """sin(x)."""
        return torch.sin(x)


OWN: dict[str, type[nn.Module]] = {"sine": Sine}
"""Modules for activations that torch.nn has none for."""


class ActivationLayer(Layer):
    """What activations have in common."""

    module: ClassVar[type[nn.Module]]
    defaults: ClassVar[dict[str, Any]]
    halves: ClassVar[bool] = False

    def build(self, incoming: Incoming) -> Branch:
        """The module of torch.nn with the options that were given."""
        options = {key: getattr(self, key) for key in self.defaults}
        check_options(self.module, options)
        module = self.module(**options)
        dim = getattr(self, "dim", None)
        if dim is None:
            return Branch(module, incoming.signal)
        shape = list(incoming.shape)
        axis = dim - 1 if dim > 0 else dim + len(shape)
        if not 0 <= axis < len(shape):
            hint = "0 is the batch axis, -1 the last one"
            raise Misfit(f"cannot act along axis {dim}, here it is {incoming.shape}", hint=hint, key="dim")
        if self.halves:
            if shape[axis] % 2:
                raise Misfit(f"gates one half of an axis with the other, here it is {incoming.shape}", key="dim")
            shape[axis] //= 2
        return Branch(module, incoming.signal.shaped(*shape))


def check_options(module: type[nn.Module], options: Mapping[str, Any]) -> None:
    """What torch would refuse when the module runs is refused where it stands.

    Raises:
        Misfit: an option has a value that the module cannot run with.
    """
    if module is nn.RReLU and options["lower"] > options["upper"]:
        raise Misfit("draws slopes from 'lower' to 'upper', which must not be below it", key="lower")
    if module is nn.Softshrink and options["lambd"] < 0:
        raise Misfit("needs a 'lambd' from 0 up", key="lambd")
    if module is nn.CELU and options["alpha"] == 0:
        raise Misfit("divides by 'alpha', which cannot be 0", key="alpha")


def module_of(activation: Activation) -> type[nn.Module] | None:
    """The class that computes it, None where there is none to use."""
    for name in activation.modules:
        room, _, attribute = name.rpartition(".")
        if room == "torch.nn" and hasattr(nn, attribute):
            found: type[nn.Module] = getattr(nn, attribute)
            return found
    return OWN.get(activation.name)


def field_of(activation: Activation, key: str) -> Any:
    """Type and default of an option, for pydantic."""
    default = activation.options[key]
    if isinstance(default, str):
        choices: Any = Literal[activation.choices[key]] if key in activation.choices else str
        return (choices, default)
    if isinstance(default, int):
        return (Annotated[int, Field(ge=-32, le=32), Wanted("a whole number: the axis it acts along")], default)
    return (Number, default)


def register(activation: Activation, module: type[nn.Module], aliases: tuple[str, ...]) -> None:
    """Make a block of an activation."""
    fields = {key: field_of(activation, key) for key in activation.options}
    if "inplace" in inspect.signature(module).parameters:
        fields["inplace"] = (Flag, False)
    layer = create_model(
        "".join(part.title() for part in activation.name.split("_")),
        __base__=ActivationLayer,
        __module__=__name__,
        __doc__=f"{activation.summary or activation.name}.",
        **fields,
    )
    layer.module = module
    layer.halves = module is nn.GLU
    layer.defaults = {key: default for key, (_, default) in fields.items()}
    block(activation.name, aliases=aliases)(layer)


for known in ACTIVATIONS.values():
    usable = module_of(known)
    if usable is not None:
        register(known, usable, ACTIVATIONS.aliases_of(known.name))
