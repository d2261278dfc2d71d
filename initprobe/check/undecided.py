"""Which selected rules an interval leaves open, and what their findings could come to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from initprobe.check.bands import Band, Level, Side, log_interval
from initprobe.check.places import Place
from initprobe.check.policy import Policy
from initprobe.check.signals import Direction
from initprobe.records import Gain, RuleCard, Segment, Severity

DRIFT_RULES: Mapping[str, tuple[Direction, Side]] = {
    "IP101": ("forward", "shrinks"),
    "IP102": ("forward", "grows"),
    "IP201": ("backward", "shrinks"),
    "IP202": ("backward", "grows"),
}
"""The rules that report a drift, and which drift."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """A drift that the seeds at hand do not settle for one rule.

    Attributes:
        card: the rule it would be a finding of.
        levels: the levels that its interval reaches into.
        outcomes: the severities it could come to; None is no finding.
        suppressed: why it makes no difference, None when it does.
    """

    card: RuleCard
    segment: Segment
    direction: Direction
    gain: Gain
    levels: frozenset[Level]
    outcomes: frozenset[Severity | None]
    suppressed: str | None = None

    @property
    def crossed(self) -> tuple[Severity, ...]:
        """The limits that the interval reaches across."""
        crossed: list[Severity] = ["warning"] if "pass" in self.levels else []
        return (*crossed, "error") if "error" in self.levels else tuple(crossed)


def find_undecided(
    segments: Sequence[Segment],
    cards: Sequence[RuleCard],
    policy: Policy,
    thresholds: Mapping[str, float],
    places: Mapping[str, Place],
) -> tuple[Undecided, ...]:
    """Every drift whose interval would make a difference to one of the rules on ``cards``, suppressed ones too.

    Args:
        segments: the fitted streams.
        cards: the selected rules.
        policy: what is suppressed, and which severities are overridden to the same.
        thresholds: the limits in force.
        places: where each site lives, by its key.
    """
    found = []
    for card in cards:
        direction, side = DRIFT_RULES.get(card.code, (None, None))
        for segment in segments:
            if direction is None or side is None:
                continue
            gain = dict(gains_of(segment)).get(direction)
            if gain is None or gain.status == "unjudged":
                continue
            levels = Band.of(thresholds, direction, segment.kind).levels(*log_interval(gain), side)
            outcomes = frozenset(None if level == "pass" else policy.severity(card, level) for level in levels)
            if len(outcomes) > 1:
                suppressed = policy.suppression(card, [places[key] for key in segment.sites])
                found.append(Undecided(card, segment, direction, gain, levels, outcomes, suppressed))
    return tuple(found)


def open_ones(undecided: Sequence[Undecided]) -> tuple[Undecided, ...]:
    """Those that nobody suppressed: they ask for seeds, and count in the verdict."""
    return tuple(one for one in undecided if one.suppressed is None)


def gains_of(segment: Segment) -> Iterator[tuple[Direction, Gain]]:
    """Both gains of a segment, as far as there are two."""
    yield "forward", segment.forward
    if segment.backward is not None:
        yield "backward", segment.backward
