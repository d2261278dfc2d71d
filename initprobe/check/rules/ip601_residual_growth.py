"""IP601: a residual stream that every block multiplies."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from initprobe.check.residual import residual_streams
from initprobe.check.rules.base import Case, Example, Finding, describe, rule, wording
from initprobe.records import ResidualStream, Segment, Severity

SCALED = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - type: repeat
          times: 24
          name: block
          layers:
            - type: residual
              layers: [layer_norm, {type: linear, out: 64}, relu, {type: linear, out: 64}]
    init: {default: kaiming_normal}
    """,
    options=(("batch", 32),),
)
UNSCALED = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - type: repeat
          times: 24
          name: block
          layers:
            - type: residual
              layers: [{type: linear, out: 64}, relu, {type: linear, out: 64}]
    init: {default: kaiming_normal}
    """,
    options=(("batch", 32),),
)


@rule("IP601", "residual-growth", "residual", "warning", "high", good=(SCALED,), bad=(UNSCALED,))
def residual_growth(case: Case) -> Iterator[Finding]:
    """Every residual block multiplies the variance of its stream: it grows exponentially with depth.

    What it does:
        Fits two laws to the variance at the joins of a residual stream: a line, and a line through its logarithm. It
        fires where the exponential law is the better one, where most blocks and not a single one make the growth, and
        where the RMS grows beyond the limits of `exploding-forward`, which then is a part of this finding.

    Why is this bad:
        A branch without a normalization at its beginning or a scale at its end adds a share of whatever the stream
        carries, mostly as much again: twice the variance per block, 2^L over L of them. The gradient grows likewise.
        Branches scaled by 1/√L, or that begin at zero, keep it.

    Not a problem when:
        The variance grows by the same amount per block (normalized branches, l + 1 after l blocks): that is a line, and
        the RMS grows with the root of the depth.

    Options:
        thresholds.forward_drift.warning (10) and thresholds.forward_drift.error (1000): of the RMS, as for IP102.

    References:
        Zhang, Dauphin & Ma 2019, arXiv:1901.09321 (Fixup); De & Smith 2020, arXiv:2002.10444; Hanin & Rolnick 2018,
        arXiv:1803.01719.
    """
    streams = residual_streams(case.facts.anatomy, case.facts.signals)
    for segment in case.facts.segments:
        stream = _stream_of(segment, streams)
        growth = None if stream is None else stream.growth
        if stream is None or growth is None or growth.law != "exponential" or not _grows_by_blocks(case, segment):
            continue
        severity: Severity = "error" if segment.forward.status == "error" else "warning"
        limit = case.facts.thresholds[f"forward_drift.{severity}"]
        yield case.finding(
            f"the variance of the residual stream grows ×{wording.gain(growth.per_block)} per block over "
            f"{len(segment.sites)} blocks",
            severity=severity,
            sites=segment.sites,
            label=f"{wording.span(segment.sites)} ({len(segment.sites)} blocks)",
            measured=f"RMS {describe(segment.forward, case.seeds)}; drift ×{wording.gain(segment.forward.drift.mean)}, "
            f"{severity} beyond ×{wording.limit(limit)}",
            expected="×2 where each branch adds as much as it is added to; scaled by 1/√blocks they make ×2.7 in all",
        )


def _stream_of(segment: Segment, streams: tuple[ResidualStream, ...]) -> ResidualStream | None:
    if segment.kind != "residual":
        return None
    return next((each for each in streams if segment.sites[0] in {block.join for block in each.blocks}), None)


def _grows_by_blocks(case: Case, segment: Segment) -> bool:
    """Whether the drift is beyond a limit, and would be if every block did what the median block does."""
    if segment.forward.status not in {"warning", "error"} or segment.forward.drift.low <= 1.0:
        return False
    rms = case.facts.signals.rms(segment.sites, "forward")
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.diff(np.log(rms).mean(axis=0))
    usual = float(np.median(steps)) * len(steps)
    return usual > math.log(case.facts.thresholds["forward_drift.warning"])
