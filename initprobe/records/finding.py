"""What is wrong, where, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from initprobe.records.anatomy import StreamKind
from initprobe.records.estimate import Estimate
from initprobe.records.fix import Fix
from initprobe.records.location import Location
from initprobe.records.residual import ResidualStream

Severity = Literal["error", "warning", "info"]
Confidence = Literal["certain", "high", "heuristic"]
Status = Literal["pass", "warning", "error", "inconclusive", "unjudged"]
Verdict = Literal["pass", "fail", "inconclusive"]

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error")


@dataclass(frozen=True, slots=True)
class RuleCard:
    """What a rule says of itself.

    Attributes:
        code: the immutable code, ``IP101``.
        name: ``vanishing-forward``.
        severity: its default severity.
        summary: one line.
        doc: the documentation for users, whose first line the summary is; empty where nobody wrote any.
    """

    code: str
    name: str
    severity: Severity
    confidence: Confidence
    summary: str
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Gain:
    """How a signal grows along a stream, fitted over log RMS against depth.

    Attributes:
        per_layer: the gain per layer, backward counted from the output to the input.
        drift: ``exp(fitted slope x (length - 1))`` with the interval that the verdict used
            (widened for repeated looks).
        status: where that interval lies.
        basis: what the interval comes from: ``seeds`` or ``layers`` (one draw).
        confidence: level of ``drift``'s interval, 0.95 for a single look.
        more: seeds that would settle it, when it is inconclusive.
        reason: why it is unjudged.
        expected: the gain per layer that theory expects of these weights, None where it expects nothing.
    """

    per_layer: Estimate
    drift: Estimate
    status: Status
    basis: Literal["seeds", "layers"] = "seeds"
    confidence: float = 0.95
    more: int | None = None
    reason: str | None = None
    expected: float | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A stream with its gains.

    Attributes:
        kind: that of the stream; the gains of a ``recurrent`` one are per step of time.
        label: ``block.0.linear … block.49.linear``.
        pair: gain per layer of the RMS distance between two inputs' signals; where it falls while ``forward`` does
            not, what is left of the signal is bias.
        cosine: mean cosine between the signals of two inputs at the last site.
        bias_only: the forward RMS looks kept, but the distance between inputs vanishes.
    """

    kind: StreamKind
    label: str
    sites: tuple[str, ...]
    forward: Gain
    backward: Gain | None = None
    pair: Estimate | None = None
    cosine: Estimate | None = None
    bias_only: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One root cause.

    Attributes:
        rule: the rule's card.
        severity: after overrides.
        message: one sentence with the numbers.
        sites: keys of the sites it explains, the first one first.
        label: those sites as a person reads them.
        location: where the cause stands in YAML or Python; None only where no file is known.
        measured: the numbers with interval, seeds and threshold.
        expected: what theory expects there, and which number explains it.
        notes: further lines.
        downstream: how many later sites it explains without a finding of their own.
        suppressed: why it does not count, None when it does.
        fix: a change that makes it go away, None where none was looked for or found.
        parameters: names of the parameters (and buffers) whose values it is about, where no site stands for them.
        unconfirmed: whether fresh seeds did not find it, or found it less severe.
        about: names of modules, parameters or sites at which an ignore would keep it from counting, where its sites do
            not say that.
        overruled: the severity that the rule itself gives it, where somebody gave it another one.
    """

    rule: RuleCard
    severity: Severity
    message: str
    sites: tuple[str, ...] = ()
    label: str = ""
    location: Location | None = None
    measured: str = ""
    notes: tuple[str, ...] = ()
    downstream: int = 0
    suppressed: str | None = None
    expected: str = ""
    fix: Fix | None = None
    parameters: tuple[str, ...] = ()
    unconfirmed: bool = False
    about: tuple[str, ...] = ()
    overruled: Severity | None = None


@dataclass(frozen=True, slots=True)
class NeedSeeds:
    """The judge's other answer: not decided yet, ``count`` seeds in all would help."""

    count: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """The judge's answer.

    Attributes:
        checked: names of the rules that looked, whatever they found.
    """

    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    segments: tuple[Segment, ...] = ()
    notes: tuple[str, ...] = ()
    residual: tuple[ResidualStream, ...] = ()
    checked: tuple[str, ...] = ()
