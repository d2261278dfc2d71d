"""What is known does not count; what is new does; what is gone is told."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from initprobe.check.baseline import Known, known_as, match, read_baseline, target_of, updated, write_baseline
from initprobe.errors import UsageError
from initprobe.records import (
    CheckRequest,
    Entry,
    Finding,
    InitRequest,
    ProbeRequest,
    Report,
    Request,
    RuleCard,
    Site,
    SiteSummary,
    TargetRequest,
)

DEAD = RuleCard("IP301", "dead-units", "warning", "high", "silent")
VANISHING = RuleCard("IP101", "vanishing-forward", "error", "high", "shrinks")


def found(card, *sites, label=""):
    return Finding(card, card.severity, "it is so", sites=sites, label=label)


def entry(*findings, target="net.yaml", check=None, typed=(), sets=()):
    keys = dict.fromkeys(key for finding in findings for key in finding.sites)
    sites = tuple(SiteSummary(Site(key, key, 0, "Linear"), (2, 2), "float32", {}) for key in keys)
    request = Request(TargetRequest(target, sets=sets), InitRequest(), ProbeRequest(), check or CheckRequest(), typed)
    return Entry(target, "own init", request, seeds=(0,), sites=sites, findings=findings, verdict="fail")


def report(*entries):
    return Report("check", entries)


VANISHED = found(VANISHING, "block.0.linear", "block.1.linear")
SILENT = found(DEAD, "head.relu")
BOTH = (Known("net.yaml", "vanishing-forward", "block.*.linear"), Known("net.yaml", "dead-units", "head.relu"))


def test_a_file_holds_one_entry_a_line_sorted_and_nothing_that_changes():
    text = write_baseline(BOTH)
    assert text == (
        '{"version": 1, "entries": [\n'
        '{"target": "net.yaml", "rule": "dead-units", "layers": "head.relu"},\n'
        '{"target": "net.yaml", "rule": "vanishing-forward", "layers": "block.*.linear"}\n'
        "]}\n"
    )
    assert read_baseline(text, "b.json") == tuple(sorted(BOTH))
    assert json.loads(write_baseline(())) == {"version": 1, "entries": []}


def test_what_is_known_does_not_count():
    (marked,) = match(report(entry(VANISHED, SILENT)), BOTH).report.entries
    assert [one.suppressed for one in marked.findings] == ["baselined", "baselined"]
    assert marked.verdict == "pass"


def test_one_more_block_is_nothing_new():
    deeper = found(VANISHING, "block.0.linear", "block.1.linear", "block.2.linear")
    assert match(report(entry(deeper)), BOTH).report.entries[0].verdict == "pass"


def test_what_is_new_counts():
    other = found(VANISHING, "head")
    (marked,) = match(report(entry(VANISHED, other)), BOTH).report.entries
    assert marked.verdict == "fail"
    assert [(one.sites[0], one.suppressed) for one in marked.findings] == [
        ("head", None),
        ("block.0.linear", "baselined"),
    ]


def test_another_target_another_scheme_another_setting_are_not_known():
    for other in (
        entry(VANISHED, target="other.yaml"),
        entry(VANISHED, typed=("--scheme", "he")),
        entry(VANISHED, sets=(("vars.depth", "3"),)),
    ):
        assert match(report(other), BOTH).report.entries[0].verdict == "fail"


def test_what_is_gone_is_stale_only_where_it_was_looked_for():
    assert match(report(entry(VANISHED)), BOTH).stale == (BOTH[1],)
    assert match(report(entry(VANISHED, check=CheckRequest(ignore=("dead-units",)))), BOTH).stale == ()
    assert match(report(entry(target="other.yaml")), BOTH).stale == ()


def test_an_update_takes_in_what_is_new_and_out_what_is_gone():
    away = Known("away.yaml", "dead-units", "x")
    other = found(DEAD, label="3 layers")
    now = updated(report(entry(VANISHED, other)), (*BOTH, away))
    assert now == tuple(sorted((away, BOTH[0], Known("net.yaml", "dead-units", "* layers"))))
    ignored = replace(SILENT, suppressed="layer_ignores: *")
    assert updated(report(entry(ignored)), ()) == (), "what is ignored elsewhere does not need it"


def test_a_target_is_called_alike_everywhere():
    assert target_of(entry(target="./nets\\a.yaml")) == "nets/a.yaml"
    assert known_as(entry(VANISHED, typed=("--scheme", "he")), VANISHED).target == "net.yaml --scheme he"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is no baseline"),
        ("[]", "is no baseline of version 1"),
        ('{"version": 2, "entries": []}', "is no baseline of version 1"),
        ('{"version": 1, "entries": [{"target": "a", "rule": 1, "layers": ""}]}', "entry 0 has not the texts"),
    ],
)
def test_what_is_no_baseline_is_told(text, told):
    with pytest.raises(UsageError, match=told):
        read_baseline(text, "b.json")
