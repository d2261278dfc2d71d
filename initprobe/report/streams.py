"""Which stream of an entry stands for it, in tables and figures alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from initprobe.records import Entry, Estimate, Gain, Segment, SiteSummary

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


def stream_sites(entry: Entry) -> list[SiteSummary]:
    """The way of the signal that stands for an entry: the sites of its longest stream.

    Without a stream (normalizations between the joins end it), the joins; without those the calls of what runs most
    often (a recurrent cell), or every weight's output, whichever are more; every site where there is no weight.
    """
    segment = longest_segment(entry)
    if segment is not None:
        return segment_sites(entry, segment)
    distinct = [summary for summary in entry.sites if summary.site.alias_of is None]
    joins = [summary for summary in distinct if summary.site.kind == "join"]
    if len(joins) > 2:
        return joins
    weighted = [summary for summary in distinct if summary.site.kind == "weighted"] or distinct
    longest = repeated_calls(distinct)
    return longest if len(longest) > len(weighted) else weighted


def repeated_calls(summaries: Sequence[SiteSummary]) -> list[SiteSummary]:
    """The calls of the module that runs most often, one of its outputs: the steps of a recurrent cell."""
    calls: dict[tuple[str, str], list[SiteSummary]] = {}
    for summary in summaries:
        key = summary.site.key
        calls.setdefault((summary.site.path, key[key.rindex("[") :] if key.endswith("]") else ""), []).append(summary)
    return max(calls.values(), key=len, default=[])


def mean_rms(summary: SiteSummary, side: Side) -> float | None:
    """The RMS of a site's value or of its gradient, over seeds; None where it was not measured."""
    statistics = summary.forward if side == "forward" else summary.backward
    found = (statistics or {}).get("rms")
    return found.mean if isinstance(found, Estimate) else None
