"""What one probe with one seed measured: numbers and strings only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


class Counts(tuple[float, ...]):
    """A vector of counts: over seeds it adds up, where other vectors are averaged."""

    __slots__ = ()


Value = float | tuple[float, ...]
Statistics = Mapping[str, Value]
"""Statistic name to value; a tuple for those that are vectors (the exponent histogram)."""


@dataclass(frozen=True, slots=True)
class SiteTrace:
    """The value that passed one call site.

    Attributes:
        key: the site's key in the Anatomy.
        shape: shape of the tensor, batch axis included.
        dtype: its dtype (``float32``).
        forward: statistics of the value.
        backward: statistics of the gradient that came back to it; None where none came, with the reason beside it.
        no_backward: why there is no gradient.
    """

    key: str
    shape: tuple[int, ...]
    dtype: str
    forward: Statistics
    backward: Statistics | None = None
    no_backward: str | None = None


@dataclass(frozen=True, slots=True)
class PartTrace:
    """One gate of a recurrent layer's weight or bias.

    Attributes:
        mean, rms: of its values.
        diagonal: mean of a square matrix' diagonal; None of any other part.
        sample: of a bias, the values of a few units, the same ones in every gate; empty of a matrix.
    """

    mean: float
    rms: float
    diagonal: float | None = None
    sample: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class ParameterTrace:
    """One parameter: statistics of its values, and of its gradient when that was measured.

    Attributes:
        reached: whether the loss depends on it (read off the autograd graph); None when there was no backward pass.
        parts: of a recurrent layer's parameter, every gate by its name; the whole by an empty name where it has none.
    """

    name: str
    value: Statistics
    gradient: Statistics | None = None
    reached: bool | None = None
    parts: Mapping[str, PartTrace] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unseen:
    """Something that could not be measured, and why.

    Attributes:
        path: a module's path, or the key of its output.
        reason: why.
        hidden: whether the computation itself was out of sight, and not just a value that has no statistics.
    """

    path: str
    reason: str
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Unsteady:
    """Something that came out otherwise when the same draw was made and run again.

    Attributes:
        kind: a parameter's values, the batch, or the value of a call site.
        name: the parameter's name, the input's, or the site's key.
        first, second: its RMS in the two passes; nan where a pass had no such site.
    """

    kind: Literal["parameter", "input", "site"]
    name: str
    first: float
    second: float


@dataclass(frozen=True, slots=True)
class OutputTrace:
    """What the loss makes of the model's output.

    Attributes:
        loss: the value of the loss; None where the gradient is that of a random cotangent.
        chance: what that loss is for an output that knows nothing (ln C for C classes), in the same unit; None where
            the loss is of another kind.
        site: key of the site that shows the logits; None where the output is no logits, or nothing shows them.
        classes: how many classes the logits are of, None likewise.
        logits: statistics over the classes; empty where the output is no logits.
    """

    loss: float | None = None
    chance: float | None = None
    site: str | None = None
    classes: int | None = None
    logits: Statistics = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trace:
    """One seed.

    Attributes:
        seed: the seed of this draw.
        sites: in execution order; aliases are not repeated.
        parameters: in registration order.
        inputs: statistics of each float input, by name.
        unseen: what could not be measured.
        effective: statistics of weights that are computed from parameters, by the name under which the layer has them
            (``0.weight`` of a weight-normalized layer).
        unsteady: what differed when the draw was repeated, causes first; None where it was not repeated.
        output: what the loss makes of the output; None where no backward pass was asked for.
        network: measurements of the network as a whole that took passes of their own, by name.
        buffers: statistics of each float buffer, by its name, as it was before the pass.
    """

    seed: int
    sites: tuple[SiteTrace, ...]
    parameters: tuple[ParameterTrace, ...] = ()
    inputs: Mapping[str, Statistics] = field(default_factory=dict)
    unseen: tuple[Unseen, ...] = ()
    effective: Mapping[str, Statistics] = field(default_factory=dict)
    unsteady: tuple[Unsteady, ...] | None = None
    output: OutputTrace | None = None
    network: Mapping[str, Value] = field(default_factory=dict)
    buffers: Mapping[str, Statistics] = field(default_factory=dict)
