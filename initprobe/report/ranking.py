"""Which of several schemes keeps signal and gradient best."""

from __future__ import annotations

import math
from collections.abc import Sequence

from initprobe.records import Entry
from initprobe.report.streams import BOTH, Side, gain_of, longest_segment, mean_rms, stream_sites

RANKED = "rank: by how far signal or gradient, whichever is worse, ends from where it began"


def ranking(entries: Sequence[Entry]) -> list[int | None]:
    """The rank of every entry, from 1; equals share one, and what could not be probed or measured has none.

    What counts is the worse of signal and gradient: the logarithm of how much it changes along the way that stands for
    the entry. A signal that is made of biases alone is lost, whatever its size; a gradient that is zero everywhere, as
    behind a classifier that starts at zero, does not count.
    """
    distances = [distance(entry) for entry in entries]
    order = sorted(one for one in distances if one is not None)
    return [None if one is None else order.index(one) + 1 for one in distances]


def distance(entry: Entry) -> float | None:
    """How far the worse of signal and gradient ends from where it began, in natural logarithms; None if unknown."""
    found = [change for change in (_change(entry, side) for side in BOTH) if change is not None]
    return max(found, default=None)


def _change(entry: Entry, side: Side) -> float | None:
    segment = longest_segment(entry)
    if segment is not None:
        if side == "forward" and segment.bias_only:
            return math.inf
        gain = gain_of(segment, side)
        if gain is not None and not math.isnan(gain.drift.mean):
            return _logarithm(gain.drift.mean)
    run = [value for value in (mean_rms(summary, side) for summary in stream_sites(entry)) if value is not None]
    if len(run) < 2 or (side == "backward" and not any(run)):
        return None  # a classifier that starts at zero lets no gradient through before its first update
    return _logarithm(run[-1] / run[0]) if run[0] > 0.0 else math.inf


def _logarithm(ratio: float) -> float:
    return abs(math.log(ratio)) if 0.0 < ratio < math.inf else math.inf
