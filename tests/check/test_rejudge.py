"""A finding of then under the wishes of now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from initprobe.check.rejudge import rejudge, with_absent
from initprobe.check.rules.base import RULES
from initprobe.records import (
    CheckRequest,
    Entry,
    Estimate,
    Finding,
    Location,
    Request,
    Site,
    SiteSummary,
    TargetRequest,
)

DEAD, UNCALLED = RULES["dead-units"].card, RULES["uncalled-module"].card
CHECKED = tuple(rule.card.name for rule in RULES.values() if not rule.compares)
AT_SITE = Finding(DEAD, "error", "dead", sites=("body.relu",))
AT_OPERATION = Finding(DEAD, "error", "dead", sites=("body/relu",))
AT_PATH = Finding(UNCALLED, "error", "never ran", label="aux", about=("aux",))


def entry_of(*findings, **fields):
    one = Estimate(1.0, 1.0, 1.0, (1.0,))
    there = Location("net.py", 7, remark="ignore[dead-units] a gate")
    sites = (
        Site("body.relu", "body.relu", 0, "ReLU", "activation"),
        Site("body/relu", "body", 1, "Body", "activation", location=there, operation="relu"),
    )
    request = Request(TargetRequest("net.py:build"), check=CheckRequest(complete=True))
    summaries = tuple(SiteSummary(site, (4, 4), "float32", {"rms": one}) for site in sites)
    return replace(
        Entry("net", "he", request, sites=summaries, findings=findings, verdict="fail", checked=CHECKED), **fields
    )


def now(entry, **request):
    return rejudge(entry, CheckRequest(complete=True, **request))


@pytest.mark.parametrize("then", ["baselined", "layer_ignores: body.*", "ignored at net.py:3 (no reason given)"])
@pytest.mark.parametrize("finding", [AT_SITE, AT_PATH], ids=["at a site", "at a path"])
def test_a_suppression_of_then_is_forgotten(then, finding):
    judged = now(entry_of(replace(finding, suppressed=then), verdict="pass"))
    assert [one.suppressed for one in judged.findings] == [None]
    assert judged.verdict == "fail"


@pytest.mark.parametrize(("finding", "glob"), [(AT_SITE, "body.*"), (AT_PATH, "aux")], ids=["at a site", "at a path"])
def test_one_of_now_holds(finding, glob):
    judged = now(entry_of(finding), layer_ignores=((glob, ("dead-units", "uncalled-module")),))
    assert [one.suppressed for one in judged.findings] == [f"layer_ignores: {glob}"]
    assert judged.verdict == "pass"


def test_a_comment_on_an_operation_holds_for_the_operation_alone():
    judged = now(entry_of(AT_OPERATION, AT_SITE))
    assert [one.suppressed for one in judged.findings] == [None, "ignored at net.py:7 (a gate)"]


def test_a_severity_that_somebody_gave_is_taken_back():
    softened = now(entry_of(AT_SITE), severities=(("dead-units", "info"),))
    assert (softened.findings[0].severity, softened.verdict) == ("info", "pass")
    again = now(softened)
    assert (again.findings, again.verdict) == ((AT_SITE,), "fail")
    strict = now(entry_of(replace(AT_PATH, severity="warning")), strict=True)
    assert (strict.findings[0].severity, now(strict).findings[0].severity) == ("error", "warning")


def test_rules_that_did_not_look_are_told_once():
    few = entry_of(checked=("dead-units",))
    judged = with_absent(now(few, select=("IP3",)))
    assert judged.checked == ("dead-units",)
    assert judged.notes == ("did not look when this was measured: saturated-units, identical-units",)
    assert with_absent(now(judged, select=("IP3",))).notes == judged.notes
    assert with_absent(now(judged, select=("IP301",))).notes == ()


def test_what_only_a_check_measures_did_not_look_either():
    request = Request(TargetRequest("net.py:build"))
    judged = with_absent(rejudge(entry_of(request=request), CheckRequest()))
    assert len(judged.notes) == 1
    assert "gradient-imbalance" in judged.notes[0]
