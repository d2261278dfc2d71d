"""Hostile text becomes one harmless line, and each sink's encoder does its own part."""

from __future__ import annotations

import csv
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initprobe.report.visible import ascii_text, csv_text, markdown_cell, plot_text, visible, visible_lines

anything = st.text(st.characters(exclude_categories=()))


@given(anything)
def test_nothing_is_left_that_moves_hides_or_commands(text):
    shown = visible(text)
    assert not {"Cc", "Cf", "Cs", "Zl", "Zp"} & {unicodedata.category(char) for char in shown}
    assert not shown.lstrip().startswith("::")
    assert "##[" not in shown
    shown.encode()


@given(st.text(st.characters(categories=("L", "N", "S", "Zs"))))
def test_harmless_text_stays(text):
    assert visible(text, limit=10_000) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\nb\tc", r"a\x0ab\x09c"),
        ("\u202eabc", r"\u202eabc"),
        ("\ud800", r"\ud800"),
        ("\U000e0001", r"\U000e0001"),
        ("  ::error::x", r"  \x3a:error::x"),
        ("block::linear", "block::linear"),
        ("a##[group]", r"a\x23#[group]"),
        ("层.3", "层.3"),
    ],
)
def test_examples(text, shown):
    assert visible(text) == shown


def test_long_text_is_cut_and_says_so():
    assert visible("x" * 205) == "x" * 200 + "…(5 more)"
    assert visible("x" * 200) == "x" * 200


def test_lines_are_made_visible_one_by_one():
    assert visible_lines("a\tb\r\n::c\x1b\n") == ["a   b", r"\x3a:c\x1b"]


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
def test_a_text_cell_is_never_a_formula(first):
    assert csv_text(f"{first}1").startswith("'")
    assert csv_text(f"a{first}") == f"a{first}"


@given(anything)
def test_a_csv_cell_comes_back_as_one_cell(text):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", strict=True).writerow([csv_text(visible(text)), "x"])
    assert list(csv.reader(io.StringIO(out.getvalue()), strict=True)) == [[csv_text(visible(text)), "x"]]


@given(anything)
def test_a_markdown_cell_holds_no_markup(text):
    cell = markdown_cell(visible(text)).replace("<!-- -->", "")
    assert "<" not in cell
    assert ">" not in cell
    for sign in "`*_|[]~$":
        assert cell.replace(f"\\{sign}", "").replace("\\\\", "").count(sign) == 0


def test_a_markdown_cell_mentions_nobody():
    cell = markdown_cell("@user #12 https://x.y www.x.y")
    assert "@user" not in cell
    assert "#12" not in cell
    assert "://" not in cell
    assert ":smile:" not in markdown_cell(":smile:")
    assert markdown_cell("net.yaml:15:11: x") == "net.yaml:15:11: x"
    assert "www." not in cell.replace("www.<!-- -->", "")


@given(anything)
def test_ascii_text_is_ascii(text):
    ascii_text(visible(text)).encode("ascii")


def test_our_own_signs_are_spelled_out():
    assert ascii_text("1 → 2 × 3 ± 4 … 5–6 · é") == "1 -> 2 x 3 +- 4 ... 5-6 | \\xe9"


def test_plot_text_has_no_mathtext_and_no_letter_without_a_glyph():
    assert plot_text("$x{ é × 层") == r"\$x{ é × \u5c42"
