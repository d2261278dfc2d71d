"""Who every weight is and where every signal goes, read off one traced pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from initprobe.records.location import Location

Role = Literal["linear", "conv", "transposed", "embedding", "recurrent", "norm", "bias", "other"]
"""What a parameter is in the arithmetic; ``norm`` is a normalization's scale, ``bias`` any additive shift."""

SiteKind = Literal["weighted", "embedding", "norm", "activation", "attention", "join", "other"]
"""What made a site's value: a weight operation (a pre-activation), a residual add, a normalization ..."""


@dataclass(frozen=True, slots=True)
class ActivationUse:
    """An activation as it is used at one place, with the options that change its function."""

    name: str
    options: tuple[tuple[str, float | str], ...] = ()

    def __str__(self) -> str:
        inner = ", ".join(
            f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in self.options
        )
        return f"{self.name}({inner})" if inner else self.name


@dataclass(frozen=True, slots=True)
class Weight:
    """One parameter.

    Attributes:
        name: its name in ``named_parameters`` (the first one, when it is shared).
        module: path of the module that owns it.
        module_type: class name of that module.
        role: what it is in the arithmetic.
        shape: its shape.
        fan_in, fan_out: how many values one output sums over, and how many outputs one input feeds; None when the
            traced pass did not use the weight and its shape does not tell.
        unit_axis: the axis that counts the outputs, None where there is none.
        input_activation: the activation that made the weight's input, None for raw data or a linear path.
        output_activation: the activation behind its output, None where there is none.
        trainable: whether it requires a gradient.
        aliases: its other names, when it is shared (tied).
        traced: whether the traced pass used it; fans and activations of the others are read off the shape.
        location: where the layer was built, or None.
    """

    name: str
    module: str
    module_type: str
    role: Role
    shape: tuple[int, ...]
    fan_in: float | None = None
    fan_out: float | None = None
    unit_axis: int | None = None
    input_activation: ActivationUse | None = None
    output_activation: ActivationUse | None = None
    trainable: bool = True
    aliases: tuple[str, ...] = ()
    traced: bool = True
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """One float tensor that one call of one module put out, or that an operation inside of it made.

    Attributes:
        key: unique name: path, ``#2`` for the second call, ``[1]`` for the second tensor of an output, ``/add`` for an
            operation inside of it, ``/add#2`` for the second one of that name in the call.
        path: the path of the module, for an operation of the one around it; empty for the model itself.
        order: position in execution order, from 0.
        module_type: class name of the module.
        kind: what made the value.
        units: number of units (features or channels), None where the value has no unit axis.
        unit_axis: the axis of the *output* that counts units, from the end (negative), None likewise.
        weight: name of the weight whose operation made the value, for kind ``weighted`` and ``embedding``.
        activation: the activation that made the value, for kind ``activation``.
        alias_of: key of the earlier site that holds the very same tensor (a container and its last child).
        location: where the module was built, or where the operation stands; None where neither is known.
        operation: name of the operation (``add``), None for a module's output.
    """

    key: str
    path: str
    order: int
    module_type: str
    kind: SiteKind = "other"
    units: int | None = None
    unit_axis: int | None = None
    weight: str | None = None
    activation: ActivationUse | None = None
    alias_of: str | None = None
    location: Location | None = None
    operation: str | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """Call sites in which each one is made from the one before, so that a gain per layer means something.

    Attributes:
        kind: ``pre-activation`` (weight outputs between two normalizations) or ``residual`` (joins of one stream).
        sites: keys in execution order.
        ends_model: whether the last site is the model's output (its head).
    """

    kind: Literal["pre-activation", "residual"]
    sites: tuple[str, ...]
    ends_model: bool = False


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The network's structure.

    Attributes:
        weights: every parameter once, in registration order.
        sites: every call site, in execution order.
        streams: the runs along which gains are fitted.
        modules: number of distinct leaf modules (those without children).
        uncalled: paths of leaf modules that the pass never called.
    """

    weights: tuple[Weight, ...]
    sites: tuple[Site, ...]
    streams: tuple[Stream, ...]
    modules: int = 0
    uncalled: tuple[str, ...] = ()

    @property
    def parameter_count(self) -> int:
        """Number of scalar parameters, shared ones counted once."""
        total = 0
        for weight in self.weights:
            size = 1
            for extent in weight.shape:
                size *= extent
            total += size
        return total
