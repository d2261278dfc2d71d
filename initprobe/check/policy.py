"""What a person decided about findings: their severity, and where they do not count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from initprobe.records import Finding, Location, RuleCard, Severity


@dataclass(frozen=True, slots=True)
class Ignore:
    """A rule that does not count somewhere, because of what is written there.

    Attributes:
        rule: as it is written.
        codes: the rules that this names; empty where it names none.
        reason: why; empty where nobody says.
        location: where it is written.
        globs: shell patterns over module paths.
        places: module paths, with everything below them, and keys of operations.
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

    def covers(self, place: str) -> bool:
        """Whether it holds for a module path or the key of an operation."""
        return any(around in self.places for around in _around(place)) or any(
            fnmatchcase(place, glob) for glob in self.globs
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """The part of a CheckRequest that acts on findings, with every rule by its code.

    Attributes:
        severities: rule code to the severity its findings get, whatever the rule says.
        strict: whether every coverage (IP0) finding is an error; wins over ``severities``.
        layer_ignores: glob over module paths, and the codes ignored there.
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

    def suppression(self, card: RuleCard, places: Sequence[str]) -> str | None:
        """Why a finding about those module paths (or keys of operations) does not count, None when it does.

        A finding over several layers is suppressed when the rule is ignored at every one of them.
        """
        reasons = [self._reason(card.code, place) for place in places]
        known = list(dict.fromkeys(reason for reason in reasons if reason is not None))
        if not reasons or None in reasons:
            return None
        globs = [reason.removeprefix(_GLOB) for reason in known if reason.startswith(_GLOB)]
        written = [reason for reason in known if not reason.startswith(_GLOB)]
        return ", ".join([*([f"layer_ignores: {', '.join(globs)}"] if globs else []), *written])

    def _reason(self, code: str, place: str) -> str | None:
        path = place.rpartition("/")[0] if "/" in place else place
        for glob, codes in self.layer_ignores:
            if code in codes and (fnmatchcase(place, glob) or fnmatchcase(path, glob)):
                return _GLOB + glob
        return next((one.told for one in self.ignores if code in one.codes and one.covers(place)), None)


_GLOB = "\x00"


def _around(place: str) -> Iterator[str]:
    """The place, and every module around it, the model itself included."""
    yield place
    path = place.rpartition("/")[0] if "/" in place else place.rpartition(".")[0]
    while path:
        yield path
        path = path.rpartition(".")[0]
    yield ""
