"""One model of the corpus from one base seed: what was found, and whether that is right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from initprobe import api
from initprobe.records import Finding
from tests.corpus.reading import Model, Wanted

SEEDS = 5
APART = 1000
"""Between base seeds: an open verdict may use up to 32 seeds, and no draw is to count twice."""

NOTED = re.compile(r"^[a-z ]+ [\w-]+ \((IP\d{3})\): ")
"""The note that a finding gets of what follows from it; see ``check/causes.py``."""

WORDS = re.compile(r"[\s,()…]+")


@dataclass(frozen=True)
class Judged:
    """What a check said, as codes of rules.

    Attributes:
        missed: what was not found at all.
        misplaced: what was found, but nowhere near the layer.
        errors: findings that nobody expected, of severity error.
        warnings: likewise, of severity warning.
        said: every finding that counts, as one line.
        verdict: of the check.
        seeds: how many it used.
    """

    missed: tuple[Wanted, ...]
    misplaced: tuple[Wanted, ...]
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    said: tuple[str, ...]
    verdict: str | None
    seeds: int

    def wrong(self, model: Model) -> list[str]:
        """What is not as it must be; warnings count in healthy models alone."""
        told = self.warnings if model.kind == "healthy" else ()
        return [
            *(f"not found: {wanted}" for wanted in self.missed),
            *(f"found elsewhere: {wanted}" for wanted in self.misplaced),
            *(f"unexpected error {code}" for code in self.errors),
            *(f"unexpected warning {code}" for code in told),
        ]


def judge(model: Model, base: int) -> Judged:
    """Check a model as a user would, from seed ``base`` x ``APART`` on."""
    seeds = tuple(range(APART * base, APART * base + SEEDS))
    result = api.probe(model.target, seeds=seeds, check={"complete": True, **model.check}, **model.probe)
    found = [finding for finding in result.findings if finding.suppressed is None]
    missed = tuple(wanted for wanted in model.wanted if not any(_told(finding, wanted) for finding in found))
    placed = [
        wanted
        for wanted in model.wanted
        if any(_told(finding, wanted) and about(finding, wanted.glob) for finding in found)
    ]
    return Judged(
        missed=missed,
        misplaced=tuple(wanted for wanted in model.wanted if wanted not in placed and wanted not in missed),
        errors=tuple(_unexpected(model, found, "error")),
        warnings=tuple(_unexpected(model, found, "warning")),
        said=tuple(f"{one.severity}[{one.rule.code}] {one.message} ({one.label})" for one in found),
        verdict=result.verdict,
        seeds=len(result.entry.seeds),
    )


def _told(finding: Finding, wanted: Wanted) -> bool:
    """Whether a finding is one of the rules', or tells what they found as a part of its own cause."""
    told = {finding.rule.code, *(code for note in finding.notes for code in NOTED.findall(note))}
    return not told.isdisjoint(wanted.codes)


def about(finding: Finding, glob: str | None) -> bool:
    """Whether one of a finding's layers matches; what has no call sites names modules or parameters in its label."""
    names = [*finding.sites, *WORDS.split(finding.label), *WORDS.split(finding.message)]
    return glob is None or any(fnmatchcase(part, glob) for name in names for part in _spellings(name))


def _spellings(name: str) -> tuple[str, ...]:
    """A call site, its module, and the module of a parameter."""
    return name, re.split(r"[#\[]", name)[0], name.rpartition(".")[0]


def _unexpected(model: Model, found: list[Finding], severity: str) -> Iterator[str]:
    """Codes of what nobody said would be found. An error in a healthy model is one whatever it allows."""
    expected = {code for wanted in model.wanted for code in wanted.codes}
    if model.kind == "defective" or severity == "warning":
        expected |= set(model.allowed)
    for finding in found:
        if finding.severity == severity and finding.rule.code not in expected:
            yield finding.rule.code
