"""What changed is found by rules: named, placed, ignored and attributed like anything else."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from initprobe.check.rejudge import compared
from initprobe.records import (
    CheckRequest,
    Difference,
    Entry,
    Estimate,
    Location,
    ParameterSummary,
    Request,
    Shift,
    Site,
    SiteSummary,
    TargetRequest,
    Weight,
)

KEYS = ("block.0.up", "block.1.up", "head")
WEIGHTS = tuple(f"{key}.weight" for key in KEYS)
LINES = {key: Location("net.py", 10 + place, 9) for place, key in enumerate(KEYS)}
STD = Shift("std", WEIGHTS[:2], 0.1, 0.2, 2.0, 2.1, LINES[KEYS[0]])
FORWARD = Shift("forward RMS", KEYS, 1.0, 2.0, 2.0, 4.0)
BACKWARD = Shift("gradient RMS", KEYS[:1], 1.0, 0.5, 0.5, 0.5)


def entry_of(*shifts, check=None, remarks=None, **fields):
    one = Estimate(1.0, 1.0, 1.0, (1.0,))
    places = {key: replace(place, remark=(remarks or {}).get(key, "")) for key, place in LINES.items()}
    sites = tuple(
        SiteSummary(Site(key, key, order, "Linear", location=places[key]), (4, 4), "float32", {"rms": one})
        for order, key in enumerate(KEYS)
    )
    weights = tuple(
        ParameterSummary(
            Weight(f"{key}.weight", key, "Linear", "linear", (4, 4), 4.0, 4.0, 0, location=places[key]), {"std": one}
        )
        for key in KEYS
    )
    request = Request(TargetRequest("net.py:build"), check=CheckRequest(against=True, **(check or {})))
    verdict = "fail" if shifts or fields else "pass"
    found = Difference("old · own init", verdict, shifts=shifts, compared=9, resolution=1.05, seeds=(5, 3), **fields)
    return Entry("net", "own init", request, sites=sites, weights=weights, difference=found, verdict="pass")


def told(entry):
    return [(finding.rule.code, finding.suppressed is None) for finding in compared(entry).findings]


def test_a_group_of_weights_is_one_finding_at_the_line_of_the_first():
    judged = compared(entry_of(STD))
    (finding,) = judged.findings
    assert (finding.rule.name, finding.severity, judged.verdict) == ("changed-init", "error", "fail")
    assert finding.message == "the std of 2 parameters is ×2.00 … ×2.10 what it was (block.0.up.weight: 0.100 → 0.200)"
    assert finding.label == "block.0.up.weight … block.1.up.weight (2 parameters)"
    assert finding.location == LINES["block.0.up"]
    assert finding.parameters == WEIGHTS[:2]
    assert finding.measured == (
        "9 numbers compared with old · own init, 3 against 5 seeds; a new std is seen from ×1.05 on"
    )
    assert judged.checked == ("changed-init", "changed-signal", "changed-structure")


@pytest.mark.parametrize(
    ("shift", "message"),
    [
        (Shift("mean", ("head.weight",), 0.0, 0.1, math.nan, math.nan), "the mean is another one (0 → 0.100)"),
        (
            Shift("std", ("head.weight",), 0.1, 0.10002, 1.0002, 1.0002),
            "the std is ×1.0002 what it was (0.1 → 0.10002)",
        ),
    ],
    ids=["from zero", "hardly"],
)
def test_a_step_reads_as_what_it_is(shift, message):
    (finding,) = compared(entry_of(shift)).findings
    assert finding.message == message


def test_a_signal_that_changed_with_weights_or_structure_is_a_note_on_that():
    for entry in (entry_of(STD, FORWARD), entry_of(FORWARD, added=("head.weight",))):
        (finding,) = compared(entry).findings
        assert finding.rule.code in {"IPR01", "IPR03"}
        assert finding.notes[-1].startswith(
            "from there changed-signal (IPR02): forward RMS is ×2.00 … ×4.00 what it was"
        )
        assert finding.downstream == 3


def test_a_signal_that_changed_alone_is_a_finding_with_its_gradient():
    (finding,) = compared(entry_of(FORWARD, BACKWARD)).findings
    assert (finding.rule.code, finding.sites, finding.location) == ("IPR02", KEYS, LINES["block.0.up"])
    assert finding.message == (
        "forward RMS is ×2.00 … ×4.00 what it was at 3 call sites (block.0.up: 1.00 → 2.00), "
        "gradient RMS is ×0.500 what it was at 1 call site (block.0.up: 1.00 → 0.500)"
    )


def test_what_came_went_or_has_another_shape_is_named():
    judged = compared(entry_of(added=("head", "head.weight"), missing=("old.weight",), reshaped=("block.0.up",)))
    assert [(finding.message, finding.location) for finding in judged.findings] == [
        ("old.weight is not there any more", None),
        ("head, head.weight are new", LINES["head"]),
        ("block.0.up is of another shape or dtype", LINES["block.0.up"]),
    ]


@pytest.mark.parametrize(
    ("name", "line"),
    [("block.0", 10), ("block.0.norm.bias", 10), ("block.7.up", 10), ("head.bias", 12), ("gone", None)],
)
def test_what_is_gone_stands_at_what_is_left_around_it(name, line):
    (finding,) = compared(entry_of(missing=(name,))).findings
    assert (finding.location and (finding.location.line, finding.location.approximate)) == (line and (line, True))


def test_a_network_that_is_not_in_the_older_result_is_told():
    (finding,) = compared(entry_of(notes=("the older result does not have it",))).findings
    assert (finding.rule.code, finding.message) == ("IPR03", "the older result does not have it")


def test_nothing_changed_is_nothing_found_and_three_rules_that_looked():
    judged = compared(entry_of())
    assert (judged.findings, judged.verdict, len(judged.checked)) == ((), "pass", 3)


@pytest.mark.parametrize(
    ("check", "verdict", "found"),
    [
        ({"fail_on": "never"}, "pass", [("IPR01", True)]),
        ({"severities": (("regression", "warning"),)}, "pass", [("IPR01", True)]),
        ({"severities": (("regression", "warning"),), "fail_on": "warning"}, "fail", [("IPR01", True)]),
        ({"ignore": ("changed-init",)}, "fail", [("IPR02", True)]),
        ({"ignore": ("regression",)}, "pass", []),
        ({"select": ("changed-init", "dead-units")}, "fail", [("IPR01", True)]),
    ],
    ids=str,
)
def test_what_is_asked_for_holds_for_changes_too(check, verdict, found):
    entry = entry_of(STD, FORWARD, check=check)
    assert (compared(entry).verdict, told(entry)) == (verdict, found)


def test_an_ignored_part_of_a_group_stands_apart():
    entry = entry_of(STD, check={"layer_ignores": (("block.0.*", ("changed-init",)),)})
    first, second = compared(entry).findings
    assert (first.parameters, first.location, first.suppressed) == (WEIGHTS[1:2], LINES["block.1.up"], None)
    assert first.message == "the std is ×2.00 … ×2.10 what it was (block.0.up.weight: 0.100 → 0.200)"
    assert (second.parameters, second.suppressed) == (WEIGHTS[:1], "layer_ignores: block.0.*")


def test_what_is_suppressed_explains_nothing():
    remark = "ignore[changed-init] twice as wide on purpose"
    entry = entry_of(STD, FORWARD, remarks={"block.0.up": remark, "block.1.up": remark})
    assert told(entry) == [("IPR02", True), ("IPR01", False), ("IPR01", False)]
    assert compared(entry).findings[1].suppressed == "ignored at net.py:10 (twice as wide on purpose)"


def test_judging_twice_finds_everything_once():
    once = compared(entry_of(STD, FORWARD))
    assert compared(once) == once
