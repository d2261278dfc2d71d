"""What a rule is: a card, a function from a case to findings, documentation, and examples that prove it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from initprobe.check import changes, wording
from initprobe.check.case import Case
from initprobe.check.drift import describe, drifts
from initprobe.check.nonfinite import lost_values
from initprobe.check.output import Logits, shown
from initprobe.check.policy import Ignore
from initprobe.check.precision import FORMATS, Format, exponents, loss_scale, lost, over, planned
from initprobe.check.thresholds import Threshold
from initprobe.records import CheckRequest, Confidence, Finding, Option, RuleCard, Severity
from initprobe.registry import Registry

__all__ = [
    "CHANGES",
    "FAMILIES",
    "FORMATS",
    "RULES",
    "Case",
    "CheckRequest",
    "Example",
    "Find",
    "Finding",
    "Format",
    "Ignore",
    "Logits",
    "Rule",
    "Threshold",
    "cards",
    "changes",
    "describe",
    "drifts",
    "exponents",
    "loss_scale",
    "lost",
    "lost_values",
    "over",
    "planned",
    "rule",
    "shown",
    "wording",
]

Find = Callable[[Case], Iterator[Finding]]

FAMILIES: Mapping[str, str] = {
    "IP0": "coverage",
    "IP1": "forward",
    "IP2": "backward",
    "IP3": "units",
    "IP4": "geometry",
    "IP5": "parameters",
    "IP6": "residual",
    "IP7": "output",
    "IP8": "precision",
    "IP9": "first-steps",
    "IPR": "regression",
}
"""Code prefix to family name; either selects the family."""

CHANGES = "IPR"
"""What codes of rules about changes since an earlier measurement begin with."""


@dataclass(frozen=True, slots=True)
class Example:
    """A complete network that a rule does or does not fire on; tests probe it as a user would.

    Attributes:
        text: a spec, or a Python file with ``def build(): return model, inputs``.
        language: which of the two.
        scheme: the init to draw it with; None keeps the spec's, or what the code drew.
        options: further options of the probe (``seeds``, ``max_seeds``, ``statistics``).
        check: fields of ``records.CheckRequest`` (``precision``).
        earlier: the same network before, in the same language, where it is held against that.
    """

    text: str
    language: Literal["yaml", "python"] = "yaml"
    scheme: str | None = None
    options: tuple[tuple[str, Option | tuple[str, ...] | tuple[int, ...]], ...] = ()
    check: tuple[tuple[str, Option], ...] = ()
    earlier: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", inspect.cleandoc(self.text) + "\n")
        object.__setattr__(self, "earlier", inspect.cleandoc(self.earlier) + "\n" if self.earlier else "")


def always(request: CheckRequest) -> bool:  # noqa: ARG001 - the same signature as one that looks
    """What a rule asks of a request unless it says so: nothing."""
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        card: code, name, severity, confidence and summary.
        family: its family's name.
        find: looks at a case and yields findings.
        doc: the documentation for users: What it does, Why is this bad, Not a problem when, Options, References.
        good: networks that it must be silent about.
        bad: networks that it must find something in.
        follows: names of the rules whose findings explain this one's further down the signal's way.
        thresholds: limits that nobody but this rule has.
        needs: names of measurements beyond the core statistics; they are made wherever the rule is selected.
        last: whether it looks at what the other rules have found.
        optional: whether it runs only where it is named, for its measurements cost passes of their own.
        asks: whether a request leaves it anything to look at; where not, nothing is measured for it.
    """

    card: RuleCard
    family: str
    find: Find
    doc: str
    good: tuple[Example, ...]
    bad: tuple[Example, ...]
    follows: tuple[str, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    needs: tuple[str, ...] = ()
    last: bool = False
    optional: bool = False
    asks: Callable[[CheckRequest], bool] = always

    @property
    def compares(self) -> bool:
        """Whether it looks at what changed since an earlier measurement, and at nothing where there is none."""
        return self.card.code.startswith(CHANGES)


RULES: Registry[Rule] = Registry("rule", "initprobe.check.rules", "initprobe.rules")


def rule(  # noqa: PLR0913 - a rule's card is read where the rule stands
    code: str,
    name: str,
    family: str,
    severity: Severity,
    confidence: Confidence,
    *,
    good: tuple[Example, ...],
    bad: tuple[Example, ...],
    follows: tuple[str, ...] = (),
    thresholds: tuple[Threshold, ...] = (),
    needs: tuple[str, ...] = (),
    last: bool = False,
    optional: bool = False,
    asks: Callable[[CheckRequest], bool] = always,
) -> Callable[[Find], Rule]:
    """Register a function as a rule; see ``Rule`` for the arguments. The docstring's first line is its summary.

    Raises:
        ValueError: the code is not the prefix of that family and two digits, or there is no docstring.
    """
    if not re.fullmatch(r"IP[0-9R]\d{2}", code) or FAMILIES[code[:3]] != family:
        raise ValueError(f"rule {name!r}: the code {code!r} is not one of family {family!r}")

    def register(find: Find) -> Rule:
        doc = inspect.getdoc(find)
        if not doc:
            raise ValueError(f"rule {name!r} has no docstring")
        card = RuleCard(code, name, severity, confidence, doc.splitlines()[0], doc)
        leaf = Rule(card, family, find, doc, good, bad, follows, thresholds, needs, last, optional, asks)
        RULES.add(name, leaf, aliases=(code,))
        return leaf

    return register


def cards() -> tuple[RuleCard, ...]:
    """The card of every rule, in the order of their codes."""
    return tuple(sorted((leaf.card for leaf in RULES.values()), key=lambda card: card.code))
