"""The result of a command: what every format renders and what the result file holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from initprobe.records.anatomy import Branch, Site, Weight
from initprobe.records.difference import Difference
from initprobe.records.estimate import Estimate
from initprobe.records.finding import Finding, Segment, Verdict
from initprobe.records.fix import Fix
from initprobe.records.outcome import Outcome
from initprobe.records.prediction import Expected
from initprobe.records.request import Request
from initprobe.records.residual import ResidualStream
from initprobe.records.trace import Unseen

StatisticSummary = Estimate | tuple[float, ...]
"""An estimate over seeds; for a vector its mean, and the sum of what counts."""


@dataclass(frozen=True, slots=True)
class SiteSummary:
    """One call site over all seeds.

    Attributes:
        site: who it is.
        shape, dtype: of its value.
        forward: statistics of the value.
        backward: those of its gradient; None where no gradient came, with the reason beside it.
        no_backward: why.
        expected, expected_backward: the RMS that theory expects of the value and of its gradient; None where theory was
            not asked.
    """

    site: Site
    shape: tuple[int, ...]
    dtype: str
    forward: Mapping[str, StatisticSummary]
    backward: Mapping[str, StatisticSummary] | None = None
    no_backward: str | None = None
    expected: Expected | None = None
    expected_backward: Expected | None = None


@dataclass(frozen=True, slots=True)
class ParameterSummary:
    """One parameter over all seeds."""

    weight: Weight
    value: Mapping[str, StatisticSummary]
    gradient: Mapping[str, StatisticSummary] | None = None
    declared_std: float | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the probe saw of the network.

    Attributes:
        modules: distinct leaf modules in the network.
        called: those that ran.
        sites: call sites measured, aliases not counted.
        uncalled: leaf modules that never ran.
        unseen: what could not be measured, with reasons.
    """

    modules: int = 0
    called: int = 0
    sites: int = 0
    uncalled: tuple[str, ...] = ()
    unseen: tuple[Unseen, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """A target that could not be probed.

    Attributes:
        exit_code: 2, 3 or 4.
        message: the whole message, as a person sees it.
    """

    exit_code: int
    message: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One target under one init, over all its seeds.

    Attributes:
        name: short name for tables (the spec's name, or the target's).
        scheme: the init, as text (``kaiming_normal``, ``own init``).
        request: what was asked.
        seeds: the seeds that were used.
        one_draw: True when the weights are a single draw (an instance, a checkpoint), whatever seeds were asked for.
        batch: samples per pass.
        dtype: floating-point type of the parameters.
        device: where it ran.
        loss: what the gradient is of.
        parameters: number of scalar parameters.
        sites: in execution order.
        weights: every parameter.
        branches: every residual branch, in the order of the joins.
        segments: streams with their gains.
        residual: residual streams with what each branch adds.
        findings: most severe first.
        verdict: None when nothing was judged.
        notes: things a reader must know (a lowered batch, a single draw).
        failure: why there is nothing else here.
        checked: names of the rules that looked, whatever they found; empty where nothing was judged.
        difference: what changed since an earlier measurement; None where there is none to compare it with.
        change: what a suggestion changes against the first entry of its report; its ``verified`` is empty where the
            check does not pass with it.
    """

    name: str
    scheme: str
    request: Request
    seeds: tuple[int, ...] = ()
    one_draw: bool = False
    batch: int = 0
    dtype: str = "float32"
    device: str = "cpu"
    loss: str = "gaussian"
    parameters: int = 0
    sites: tuple[SiteSummary, ...] = ()
    weights: tuple[ParameterSummary, ...] = ()
    segments: tuple[Segment, ...] = ()
    findings: tuple[Finding, ...] = ()
    verdict: Verdict | None = None
    coverage: Coverage = field(default_factory=Coverage)
    outcome: Outcome | None = None
    notes: tuple[str, ...] = ()
    failure: Failure | None = None
    residual: tuple[ResidualStream, ...] = ()
    branches: tuple[Branch, ...] = ()
    checked: tuple[str, ...] = ()
    difference: Difference | None = None
    change: Fix | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    """What the numbers depend on besides the request."""

    initprobe: str
    python: str
    torch: str
    platform: str
    threads: int
    cpu_capability: str


@dataclass(frozen=True, slots=True)
class Report:
    """One command's result: an entry per target and scheme.

    Attributes:
        command: ``run``, ``check``, ``compare``, ``sweep``, ``suggest`` or ``diff``.
        environment: None when no target could be loaded.
    """

    command: str
    entries: tuple[Entry, ...]
    environment: Environment | None = None

    @property
    def side_by_side(self) -> bool:
        """Whether its entries are to be read in one table."""
        return self.command in ("compare", "sweep", "suggest")
