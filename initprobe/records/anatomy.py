"""Who every weight is and where every signal goes, read off one traced pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from initprobe.records.activation_use import ActivationUse
from initprobe.records.flow import Flow
from initprobe.records.location import Location

Role = Literal["linear", "conv", "depthwise", "transposed", "embedding", "recurrent", "norm", "gate", "bias", "other"]
"""What a parameter is in the arithmetic.

``depthwise`` is a convolution with a group per channel, ``norm`` a normalization's scale, ``gate`` what scales a
residual branch or its skip path (ReZero's alpha, LayerScale's gamma), ``bias`` any additive shift.
"""

MATRIX_ROLES: frozenset[Role] = frozenset(["linear", "conv", "depthwise", "transposed"])
"""Roles of matrices and kernels: what sums over a fan."""

MULTIPLYING_ROLES: frozenset[Role] = MATRIX_ROLES | {"recurrent"}
"""Roles of what a signal is multiplied with and summed over."""

Attention = Literal[
    "query", "key", "value", "out", "query_key_value", "key_value", "query_key", "query_value"
]  # fmt: skip
"""Which projection of an attention; several in one are packed into one parameter, or are one and the same."""

Skip = Literal["identity", "scaled", "projection"]

SiteKind = Literal["weighted", "embedding", "norm", "activation", "attention", "join", "other"]
"""What made a site's value: a weight operation (a pre-activation), a residual add, a normalization ..."""

StreamKind = Literal["pre-activation", "residual", "recurrent"]
"""What follows what along a stream: layers, joins, or steps in time."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of the matrices that are packed into one parameter: one of query, key and value, a gate of an LSTM ...

    Attributes:
        name: ``query``, ``key``, ``value`` of an attention; torch's names of gates (``input_gate``, ``forget_gate``,
            ``cell_gate``, ``output_gate``; ``reset_gate``, ``update_gate``, ``new_gate``); ``gate`` and ``value`` of a
            gated linear unit.
        axis: the axis of the parameter that it is cut along.
        ranges: where it lies on that axis: (start, stop) pairs, more than one where the heads are interleaved.
        fan_in, fan_out: as if it stood alone; None for a bias.
    """

    name: str
    axis: int
    ranges: tuple[tuple[int, int], ...]
    fan_in: float | None = None
    fan_out: float | None = None

    @property
    def size(self) -> int:
        """Its extent along the axis."""
        return sum(stop - start for start, stop in self.ranges)


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
            traced pass did not use the weight and its shape does not tell. Of a packed parameter they are those of one
            part, the largest one where they differ.
        unit_axis: the axis that counts the outputs, None where there is none.
        input_activation: the activation that made the weight's input, None for raw data or a linear path.
        output_activation: the first activation behind its output, None where there is none.
        trainable: whether it requires a gradient.
        aliases: its other names, when it is shared (tied).
        traced: whether the traced pass used it; the others are read off their shape, and off siblings that it used (an
            expert that no token was sent to).
        location: where the layer was built, or None.
        parts: the matrices packed into it, in the order of their rows; empty where it is one.
        attention: which projection of an attention it is, or its bias; None elsewhere.
        recurrent: whether a recurrent layer's weight or bias acts on its input or on its hidden state; None elsewhere.
        gated: where its output is multiplied with another signal: ``gate`` if it is the factor that went through an
            activation (SwiGLU's gate, the end of squeeze-and-excitation), ``value`` if it is the other one.
        branch: index of the innermost residual branch that it lies in, None where it lies in none.
        tail: whether it is a last weight of a residual branch: with all tails zero, the branch is zero.
        head: whether its output is the model's output.
        depth: the number of weight operations on the longest way from the input, itself included. Embeddings are the
            input, so theirs is 0. None where the pass did not use it.
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
    parts: tuple[Part, ...] = ()
    attention: Attention | None = None
    recurrent: Literal["input", "hidden"] | None = None
    gated: Literal["gate", "value"] | None = None
    branch: int | None = None
    tail: bool = False
    head: bool = False
    depth: int | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """One residual branch: f in x + f(x).

    Two functions that are added to one stream at once, x + f(x) + g(x), are two branches.

    Attributes:
        index: its place among the branches, in the order of their joins.
        block: path of the innermost module that holds the branch and its join.
        join: key of the site that shows the sum, None where no module puts it out.
        weights: names of the weights on it in the order of their use, without biases and normalizations.
        tails: those behind which no other follows; several where experts or parallel layers end it.
        skip: the way around it: ``identity`` (views, pooling and padding included), ``scaled`` by a number or a
            parameter, or ``projection`` (at most one weight, or a normalization).
        shortcut: names of the weights on the skip path.
        gate: the parameter that scales it, None where there is none.
        norm: scale of the normalization at its end, behind all weights; None where there is none.
        within: index of the smallest branch that holds this one, None for one of the main stream.
        end: key of the site that shows what the branch adds; None where no hook sees it.
        beside: key of the site that shows what it is added to.
    """

    index: int
    block: str
    join: str | None
    weights: tuple[str, ...]
    tails: tuple[str, ...]
    skip: Skip = "identity"
    shortcut: tuple[str, ...] = ()
    gate: str | None = None
    norm: str | None = None
    within: int | None = None
    end: str | None = None
    beside: str | None = None


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
        kind: ``pre-activation`` (weight outputs between two normalizations), ``residual`` (joins of one stream) or
            ``recurrent`` (the steps of one recurrence in the order of time: calls of a cell, or products of one weight
            with the hidden state).
        sites: keys in execution order.
        ends_model: whether the last site is the model's output (its head).
    """

    kind: StreamKind
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
        branches: every residual branch, in the order of the joins.
        calls: for each call whose operations are sites, what it did in order: names of operations and paths of the
            modules it called. A pass in which it does something else has other values under the same names.
        flow: every operation of the pass on a signal, for a theory to follow.
    """

    weights: tuple[Weight, ...]
    sites: tuple[Site, ...]
    streams: tuple[Stream, ...]
    modules: int = 0
    uncalled: tuple[str, ...] = ()
    branches: tuple[Branch, ...] = ()
    calls: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    flow: Flow = field(default_factory=Flow)

    @property
    def outer_branches(self) -> tuple[Branch, ...]:
        """The residual branches that lie in no other: how deep a residual network is."""
        return tuple(branch for branch in self.branches if branch.within is None)

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
