"""How a difference reads."""

from __future__ import annotations

import math
from dataclasses import replace

from initprobe.records import Difference, Entry, Location, Report, Request, Shift, TargetRequest
from initprobe.report.difference import changes, difference_lines, difference_phrase
from initprobe.report.formats.base import RenderOptions
from initprobe.report.render import render
from initprobe.report.result import load_result

PROJ = tuple(f"h.{place}.proj.weight" for place in range(12))
STD = Shift("std", PROJ, 0.00408, 0.02, 4.84, 4.92, Location("gpt.py", 31, 9))
BIAS = Shift("mean", ("head.bias",), 0.0, 0.1, math.nan, math.nan)
SIGNAL = Shift("forward RMS", ("h.0", "h.1", "\x1b[31mln"), 0.1, 0.15, 1.5, 1.5)
FOUND = Difference(
    "gpt · own init",
    "fail",
    shifts=(STD, BIAS, SIGNAL),
    missing=("old.weight",),
    added=("new.0.weight", "new.1.weight"),
    reshaped=("head",),
    renamed=(("a.0", "b.0"), ("a.1", "b.1")),
    compared=402,
    resolution=1.052,
    seeds=(5, 8),
    notes=("measured otherwise: batch 64 before, 7 now",),
)

HEAD = (
    "init changed: gpt · own init, 402 numbers compared with gpt · own init, 8 against 5 seeds; "
    "a new std is seen from ×1.05 on"
)


def entry(difference):
    return Entry(
        "gpt", "own init", Request(TargetRequest("gpt.py:build")), seeds=(0,), verdict="pass", difference=difference
    )


def text_of(difference):
    return ["".join(text for text, _ in line) for line in difference_lines(entry(difference))]


def test_what_changed_is_told_first_and_what_is_no_change_last():
    assert text_of(FOUND) == [
        HEAD,
        "  std           h.0–11.proj.weight   0.00408 → 0.0200  ×4.84 … ×4.92   gpt.py:31:9",
        "  mean          head.bias            0 → 0.100",
        "  forward RMS   h.0–1, \\x1b[31mln    0.100 → 0.150  ×1.50",
        "  only before: old.weight",
        "  only now: new.0–1.weight",
        "  another shape or dtype: head",
        "  renamed: a.0 → b.0–1",
        "  note: measured otherwise: batch 64 before, 7 now",
    ]


def test_no_change_is_one_line():
    same = Difference("gpt · own init", "pass", compared=1, resolution=math.nan, seeds=(1, 1))
    assert text_of(same) == ["init unchanged: gpt · own init, 1 number compared with gpt · own init, 1 against 1 seed"]
    assert difference_phrase(entry(same)) == "init unchanged"
    assert (text_of(None), difference_phrase(entry(None)), changes([entry(None)])) == ([], "", "")


def test_the_first_change_is_the_headline():
    assert difference_phrase(entry(FOUND)) == (
        "init changed: std of h.0–11.proj.weight 0.00408 → 0.0200  ×4.84 … ×4.92"
    )
    bare = replace(FOUND, shifts=())
    assert difference_phrase(entry(bare)) == "init changed: 1 gone, 2 new, 1 of another shape"
    gone = Difference("gpt", "fail", notes=("the newer result does not have it",))
    assert difference_phrase(entry(gone)) == "init changed: the newer result does not have it"
    assert changes([entry(FOUND), entry(None), entry(replace(gone, verdict="pass"))]) == "1 of 2 inits changed"


def test_many_lines_are_counted():
    many = replace(FOUND, shifts=(STD,) * 15)
    assert "  and 3 more (the json format has all)" in text_of(many)


def test_every_format_takes_one_and_a_result_brings_it_back():
    report = Report("diff", (entry(FOUND),))
    assert render(load_result(render(report, "json")), "json") == render(report, "json")
    assert render(report, "full").endswith("\n1 of 1 init changed\n")
    assert render(report, "concise") == (
        "gpt: init changed: std of h.0–11.proj.weight 0.00408 → 0.0200  ×4.84 … ×4.92\n1 of 1 init changed\n"
    )
    assert "- init changed: gpt · own init" in render(report, "markdown")
    assert render(Report("check", report.entries), "full").endswith(" · 1 init changed · seeds 0\n")
    assert "×" not in render(report, "full", RenderOptions(unicode=False))
