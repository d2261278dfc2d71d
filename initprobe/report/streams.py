"""Which stream of an entry stands for it, in tables and figures alike."""

from __future__ import annotations

from typing import Literal

from initprobe.records import Entry, Gain, Segment, SiteSummary

Side = Literal["forward", "backward"]
BOTH: tuple[Side, ...] = ("forward", "backward")


def longest_segment(entry: Entry) -> Segment | None:
    """The stream that says most about an entry."""
    return max(entry.segments, key=lambda segment: len(segment.sites), default=None)


def segment_sites(entry: Entry, segment: Segment) -> list[SiteSummary]:
    """A stream's sites in order."""
    known = {summary.site.key: summary for summary in entry.sites}
    return [known[key] for key in segment.sites if key in known]


def gain_of(segment: Segment, side: Side) -> Gain | None:
    """A stream's gain in one direction."""
    return segment.forward if side == "forward" else segment.backward
