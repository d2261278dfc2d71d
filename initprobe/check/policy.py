"""What a person decided about findings: their severity, and where they do not count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from initprobe.records import RuleCard, Severity


@dataclass(frozen=True, slots=True)
class Policy:
    """The part of a CheckRequest that acts on findings, with every rule by its code.

    Attributes:
        severities: rule code to the severity its findings get, whatever the rule says.
        strict: whether every coverage (IP0) finding is an error; wins over ``severities``.
        layer_ignores: glob over module paths, and the codes ignored there.
    """

    severities: Mapping[str, Severity] = field(default_factory=dict)
    strict: bool = False
    layer_ignores: tuple[tuple[str, frozenset[str]], ...] = ()

    def severity(self, card: RuleCard, found: Severity) -> Severity:
        """The severity that counts for a finding that the rule itself would give ``found``."""
        if self.strict and card.code.startswith("IP0"):
            return "error"
        return self.severities.get(card.code, found)

    def suppression(self, card: RuleCard, paths: Sequence[str]) -> str | None:
        """Why a finding about those module paths does not count, None when it does.

        A finding over several layers is suppressed when the rule is ignored at every one of them.
        """
        globs = []
        for path in paths:
            glob = next((g for g, codes in self.layer_ignores if card.code in codes and fnmatchcase(path, g)), None)
            if glob is None:
                return None
            globs.append(glob)
        return f"layer_ignores: {', '.join(dict.fromkeys(globs))}" if globs else None
