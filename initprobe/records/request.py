"""What was asked for: everything that decides a probe, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Literal

from initprobe.records.finding import Severity
from initprobe.records.location import Location

Option = float | int | bool | str | None
Options = tuple[tuple[str, Option], ...]

WEIGHT_GRADIENTS = "weight_gradients"
"""Among the statistics asked for, it makes the backward pass compute the gradients of the weights as well."""

REPEATED_FORWARD = "repeated_forward"
"""Likewise, it makes the first draw be made twice, and its forward pass be run on both."""

COSTLY = frozenset([WEIGHT_GRADIENTS, REPEATED_FORWARD])
"""What is no statistic but a pass more, or a larger one."""


@dataclass(frozen=True, slots=True)
class SchemeChoice:
    """A scheme by name with the options that were given: ``normal(std=0.02)``."""

    name: str
    options: Options = ()

    def __str__(self) -> str:
        inner = ", ".join(
            f"{key}={value!r}" if isinstance(value, str) else f"{key}={value}" for key, value in self.options
        )
        return f"{self.name}({inner})" if inner else self.name


@dataclass(frozen=True, slots=True)
class Override:
    """Another scheme for some weights; the last override that matches wins.

    Attributes:
        scheme: what draws the matching weights.
        glob: shell pattern over module paths and parameter names, or None.
        layer_type: block type (``linear``), role (``embedding``, ``norm``) or class name (``Linear``), or None.
    """

    scheme: SchemeChoice
    glob: str | None = None
    layer_type: str | None = None


@dataclass(frozen=True, slots=True)
class InitRequest:
    """Which scheme draws which weight.

    Attributes:
        default: None keeps what the target drew itself.
        overrides: other schemes for some weights.
        only: shell patterns over module paths and parameter names; nothing else is drawn. Empty for everything.
    """

    default: SchemeChoice | None = None
    overrides: tuple[Override, ...] = ()
    only: tuple[str, ...] = ()

    @property
    def draws(self) -> bool:
        """Whether anything is drawn at all."""
        return self.default is not None or bool(self.overrides)

    @property
    def choices(self) -> tuple[SchemeChoice, ...]:
        """Every scheme that is asked for."""
        return (*((self.default,) if self.default is not None else ()), *(one.scheme for one in self.overrides))

    def __str__(self) -> str:
        if not self.draws:
            return "own init"
        name = str(self.default) if self.default is not None else "own init"
        count = len(self.overrides)
        overrides = f" + {count} override{'s' * (count > 1)}" if count else ""
        return name + overrides + (f" on {', '.join(self.only)}" if self.only else "")


@dataclass(frozen=True, slots=True)
class TargetRequest:
    """What is probed and how its input is made.

    Attributes:
        text: the target as typed (``net.yaml``, ``pkg.mod:build(depth=50)``).
        sets: ``--set`` assignments, dotted key and the text of a YAML value.
        inputs: ``--input`` texts.
        batch_from: ``pkg:fn`` that makes a batch, or None.
        paths: directories to import from (``--path``).
        allow_code: whether a file may name or hold code that then runs; only a command line can say so.
        weights: a checkpoint that is loaded into the model before it is probed, or None.
    """

    text: str
    sets: tuple[tuple[str, str], ...] = ()
    inputs: tuple[str, ...] = ()
    batch_from: str | None = None
    paths: tuple[str, ...] = ()
    allow_code: bool = False
    weights: str | None = None


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """How it is measured.

    Attributes:
        seeds: the seeds to begin with.
        max_seeds: how many seeds an undecided verdict may use in all.
        batch: samples per pass; None lets the memory decide (256 or the next lower power of two that fits).
        dtype: ``float32``, ``float64``, ``float16`` or ``bfloat16``; None keeps the target's own.
        device: a torch device, as text.
        mode: ``train``, ``eval`` or ``as-is``.
        loss: ``gaussian`` (a random cotangent on every output), ``own`` (the target's loss function), ``auto``: own
            where the target has one, else gaussian; an objective (``elbo(kl_weight=0.5)``) or a function (``pkg:fn``).
        backward: whether gradients are measured.
        statistics: names to measure and to show beyond the core ones; empty for the default set.
        plotted: names to measure because plots are drawn from them.
    """

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    max_seeds: int = 32
    batch: int | None = None
    dtype: str | None = None
    device: str = "cpu"
    mode: Literal["train", "eval", "as-is"] = "train"
    loss: str = "auto"
    backward: bool = True
    statistics: tuple[str, ...] = ()
    plotted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LayerIgnore:
    """A rule that a layer of a spec ignores, where the layer stands.

    Attributes:
        globs: shell patterns over module paths: the layer, its repetitions, and what is in them.
        rule: name, code or family.
        reason: why it does not matter there; empty where nobody says.
        location: where that is written.
    """

    globs: tuple[str, ...]
    rule: str
    reason: str = ""
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """How it is judged.

    Attributes:
        select: rule names, codes or family prefixes to run; empty for all.
        ignore: those to leave out; wins over ``select``.
        fail_on: the least severity that fails a check.
        strict: whether inconclusive and every coverage (IP0) finding count as errors.
        severities: rule (name or code) and the severity to give it.
        thresholds: threshold key (``forward_drift.error``) and value.
        layer_ignores: glob over module paths and the names that findings print, and the rules ignored there.
        complete: whether the verdict is acted on: then everything that a selected rule needs is measured, the gradients
            of the weights too; else only what costs next to nothing.
        ignores: what layers of a spec ignore.
        precision: the floating-point type that the network is going to run in, ``float16`` or ``bfloat16``, where that
            is another one than it is probed in; None where it is not.
        against: whether it is held against an earlier result: then the rules about changes look, too.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_on: Severity | Literal["never"] = "error"
    strict: bool = False
    severities: tuple[tuple[str, Severity], ...] = ()
    thresholds: tuple[tuple[str, float], ...] = ()
    layer_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    complete: bool = False
    ignores: tuple[LayerIgnore, ...] = ()
    precision: Literal["float16", "bfloat16"] | None = None
    against: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """One target, one init, one way to measure, one way to judge.

    Attributes:
        typed: what the command line says about the init, word by word, for commands that are to repeat it.
        spec_check: what the target's own file says about judging; None where it has no say.
        spec_says: the fields of that which the file gives; the others are defaults.
    """

    target: TargetRequest
    init: InitRequest = field(default_factory=InitRequest)
    probe: ProbeRequest = field(default_factory=ProbeRequest)
    check: CheckRequest = field(default_factory=CheckRequest)
    typed: tuple[str, ...] = ()
    spec_check: CheckRequest | None = None
    spec_says: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """Where the weights come from, for tables: what draws them, the target's own init, or a checkpoint."""
        if self.target.weights is None or self.init.draws:
            return str(self.init)
        return f"weights of {PurePath(self.target.weights).name}"
