"""What a person decided about findings: their severity, and where they do not count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from initprobe.check.places import Place
from initprobe.records import Finding, Location, RuleCard, Severity

PARTLY = "places: it counts until all of them ignore it"
"""How a note ends that says so."""


@dataclass(frozen=True, slots=True)
class Ignore:
    """A rule that does not count somewhere, because of what is written there.

    Attributes:
        rule: as it is written.
        codes: the rules that this names; empty where it names none.
        reason: why; empty where nobody says.
        location: where it is written.
        globs: shell patterns over module paths and the names that findings print.
        places: module paths, with everything below them, and keys of operations (``Place.written``).
    """

    rule: str
    codes: frozenset[str]
    reason: str = ""
    location: Location | None = None
    globs: tuple[str, ...] = ()
    places: frozenset[str] = frozenset()

    @property
    def told(self) -> str:
        """``ignored at net.yaml:12 (a gate)``: why a finding does not count."""
        where = f" at {self.location.file}:{self.location.line}" if self.location is not None else ""
        return f"ignored{where} ({self.reason or 'no reason given'})"

    def covers(self, place: Place) -> bool:
        """Whether it holds there."""
        return any(around in self.places for around in place.around) or any(map(place.matches, self.globs))


@dataclass(frozen=True, slots=True)
class Policy:
    """The part of a CheckRequest that acts on findings, with every rule by its code.

    Attributes:
        severities: rule code to the severity its findings get, whatever the rule says.
        strict: whether every coverage (IP0) finding is an error; wins over ``severities``.
        layer_ignores: glob over module paths and the names that findings print, and the codes ignored there.
        ignores: what is written where layers are built.
    """

    severities: Mapping[str, Severity] = field(default_factory=dict)
    strict: bool = False
    layer_ignores: tuple[tuple[str, frozenset[str]], ...] = ()
    ignores: tuple[Ignore, ...] = ()

    def severity(self, card: RuleCard, found: Severity) -> Severity:
        """The severity that counts for a finding that the rule itself would give ``found``."""
        if self.strict and card.code.startswith("IP0"):
            return "error"
        return self.severities.get(card.code, found)

    def weighed(self, finding: Finding) -> Finding:
        """The finding with the severity that counts, whoever decided about it before."""
        own = finding.overruled or finding.severity
        given = self.severity(finding.rule, own)
        return replace(finding, severity=given, overruled=own if given != own else None)

    def suppression(self, card: RuleCard, places: Sequence[Place]) -> str | None:
        """Why a finding about those places does not count, None when it does; every ignore that holds there is named.

        A finding over several layers is suppressed when the rule is ignored at every one of them.
        """
        reasons = [self._reasons(card.code, place) for place in places]
        return _told(reasons) if reasons and all(reasons) else None

    def partly(self, card: RuleCard, places: Sequence[Place]) -> str | None:
        """What is ignored of a finding that counts all the same, None where nothing or all of it is."""
        reasons = [self._reasons(card.code, place) for place in places]
        ignored = sum(map(bool, reasons))
        if ignored in {0, len(reasons)}:
            return None
        return f"{_told(reasons)} at {ignored} of {len(reasons)} {PARTLY}"

    def _reasons(self, code: str, place: Place) -> tuple[str, ...]:
        globs = (_GLOB + glob for glob, codes in self.layer_ignores if code in codes and place.matches(glob))
        return (*globs, *(one.told for one in self.ignores if code in one.codes and one.covers(place)))


_GLOB = "\x00"


def _told(reasons: Sequence[Sequence[str]]) -> str:
    """Every reason once, the patterns first."""
    known = list(dict.fromkeys(reason for each in reasons for reason in each))
    globs = [reason.removeprefix(_GLOB) for reason in known if reason.startswith(_GLOB)]
    written = [reason for reason in known if not reason.startswith(_GLOB)]
    return ", ".join([*([f"layer_ignores: {', '.join(globs)}"] if globs else []), *written])
