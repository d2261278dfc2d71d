"""Which of several schemes keeps signal and gradient best."""

import math
from dataclasses import replace

import pytest

from initprobe.records import Entry, Estimate, Gain, Request, Segment, Site, SiteSummary, TargetRequest
from initprobe.report.depth import drawn_sites, site_groups
from initprobe.report.ranking import distance, ranking
from initprobe.report.streams import stream_sites


def estimate(value: float) -> Estimate:
    return Estimate(value, value, value, (value,))


def site(key: str, forward: float, backward: float | None, kind: str = "other") -> SiteSummary:
    path = key.partition("#")[0].partition("[")[0]
    gradient = None if backward is None else {"rms": estimate(backward)}
    return SiteSummary(Site(key, path, 0, "M", kind), (2,), "float32", {"rms": estimate(forward)}, gradient)


def entry(*sites: SiteSummary, **known: object) -> Entry:
    return Entry(name="n", scheme="s", request=Request(TargetRequest("n")), sites=sites, **known)


def gain(drift: float) -> Gain:
    return Gain(estimate(drift ** (1 / 9)), estimate(drift), "pass")


def judged(forward: float, backward: float, *, bias_only: bool = False) -> Entry:
    sites = [site(f"l.{place}", 1.0, 1.0, "weighted") for place in range(10)]
    keys = tuple(one.site.key for one in sites)
    segment = Segment(
        "pre-activation", "l.0 … l.9", keys, forward=gain(forward), backward=gain(backward), bias_only=bias_only
    )
    return entry(*sites, segments=(segment,))


def test_the_worse_of_signal_and_gradient_counts():
    assert distance(judged(0.5, 1.0)) == pytest.approx(math.log(2))
    assert distance(judged(1.1, 4.0)) == pytest.approx(math.log(4))
    assert ranking([judged(8.0, 1.0), judged(1.0, 0.5), judged(1.1, 1.0)]) == [3, 2, 1]


def test_equals_share_a_rank_and_what_failed_has_none():
    failed = entry()
    assert ranking([judged(2.0, 1.0), failed, judged(1.0, 2.0), judged(9.0, 1.0)]) == [1, None, 1, 3]


def test_a_signal_of_biases_or_zeros_is_lost():
    assert distance(judged(1.0, 1.0, bias_only=True)) == math.inf
    zeros = entry(site("a", 0.0, 1.0, "weighted"), site("b", 0.0, 1.0, "weighted"))
    assert distance(zeros) == math.inf


def test_a_gradient_that_waits_for_the_first_update_does_not_count():
    waiting = entry(site("a", 1.0, 0.0, "weighted"), site("b", 2.0, 0.0, "weighted"))
    assert distance(waiting) == math.log(2)


def test_without_a_stream_the_calls_of_a_cell_stand_for_the_network():
    calls = [site(f"cell#{step}[0]", 1.0, 0.5**step) for step in range(1, 6)]
    found = entry(*calls, site("head", 3.0, 1.0, "weighted"))
    assert [one.site.key for one in stream_sites(found)] == [one.site.key for one in calls]
    assert distance(found) == math.log(16)
    layers = entry(*(site(f"l{place}", 2.0**place, None, "weighted") for place in range(4)))
    assert len(stream_sites(layers)) == 4
    assert distance(layers) == math.log(8)


def test_joins_stand_for_a_network_whose_normalizations_end_every_stream():
    joins = [site(f"block.{place}", 1.0, 2.0**place, "join") for place in range(3)]
    weights = [site(f"block.{place}.l", 1.0, 1.0, "weighted") for place in range(9)]
    assert stream_sites(entry(*weights, *joins)) == joins
    assert distance(entry(*weights, *joins)) == math.log(4)


def test_one_site_says_nothing():
    assert distance(entry(site("a", 1.0, 1.0))) is None
    assert ranking([replace(entry(), name="x")]) == [None]


def test_the_steps_of_a_cell_share_one_axis_and_one_label():
    calls = ["rnn.cell[0]", *(f"rnn.cell#{step}[0]" for step in range(2, 9))]
    (group,) = site_groups(calls)
    assert (group.label, group.first, group.last) == ("rnn.cell#1–8", 0, 7)
    assert group.starts[0] == (1, 0)
    assert group.starts[-1] == (8, 7)
    found = entry(*(site(key, 1.0, 1.0) for key in calls), site("head", 1.0, 1.0, "weighted"))
    assert [one.site.key for one in drawn_sites(found)] == calls
    assert [one.label for one in site_groups(["stem", "head"])] == ["stem", "head"]
