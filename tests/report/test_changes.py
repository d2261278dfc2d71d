"""What a suggestion changes, as a person reads it."""

from dataclasses import replace

from initprobe.records import Fix, Report
from initprobe.report.changes import change_lines
from initprobe.report.render import render

BEST = Fix(
    "init.default: lecun_normal", "1.00 per layer, finding gone", "init:\n  default: lecun_normal\n", reason="fits"
)
NEAR = Fix("init.default: zeros", "", "init:\n  default: zeros\n")


def texts(report):
    return [text for text, _ in change_lines(report)]


def test_changes_in_their_order_and_the_best_written_out(canonical):
    before, after = canonical["failing"].entries[0], canonical["clean"].entries[0]
    report = Report("suggest", (before, replace(after, change=BEST), replace(before, scheme="zeros", change=NEAR)))
    assert texts(report) == [
        "1. init.default: lecun_normal    verified: 1.00 per layer, finding gone",
        "   fits",
        "2. init.default: zeros    not verified: FAIL IP101 IP201 IP401",
        "",
        "in the spec:",
        "init:",
        "  default: lecun_normal",
    ]
    assert "in the spec:\ninit:\n  default: lecun_normal\n" in render(report, "full")


def test_a_function_wins_over_the_section(canonical):
    entry = replace(canonical["clean"].entries[0], change=replace(BEST, python="def init_weights(model):\n    \x1b\n"))
    assert texts(Report("suggest", (entry,)))[-2:] == ["def init_weights(model):", r"    \x1b"]


def test_a_check_that_passes_all_the_same_is_told_with_what_it_found(canonical):
    entry = replace(canonical["failing"].entries[0], verdict="pass", change=NEAR)
    assert texts(Report("suggest", (entry,)))[0] == (
        "1. init.default: zeros    not verified: the check passes, and finds IP101 IP201 IP401"
    )


def test_nothing_is_written_out_that_was_not_verified(canonical):
    entry = replace(canonical["failing"].entries[0], change=NEAR)
    assert texts(Report("suggest", (entry,))) == ["1. init.default: zeros    not verified: FAIL IP101 IP201 IP401"]
