"""Adds to a trace what is measured of the network as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from initprobe.hooks import ROOT
from initprobe.measure.network.base import Measurement, Unmeasured
from initprobe.records import Trace, Unseen, Value
from initprobe.subject import Subject


def measured_whole(trace: Trace, asked: Sequence[Measurement], subject: Subject, batch: int) -> Trace:
    """The trace with these measurements; one that cannot be made is told among what was not seen.

    Args:
        trace: of the passes.
        asked: what to measure.
        subject: the network; whoever calls puts its state back.
        batch: samples per pass at most.
    """
    network: dict[str, Value] = dict(trace.network)
    unseen = list(trace.unseen)
    for each in asked:
        try:
            network[each.name] = each.run(subject, batch, trace.seed)
        except Unmeasured as reason:
            unseen.append(Unseen(ROOT, f"no {each.name}: {reason}"))
    return replace(trace, network=network, unseen=tuple(unseen))
