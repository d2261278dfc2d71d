"""Every format on every canonical report: the contract, and the golden files."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from initprobe.errors import UsageError
from initprobe.report.formats.base import FORMATS, RenderOptions
from initprobe.report.render import render

GOLDEN = Path(__file__).parent / "golden"
REPORTS = ("empty", "clean", "residual", "failing", "compare", "changed", "hostile")
FINDINGS_ONLY = {"concise", "github", "gitlab", "jsonl", "junit", "sarif"}
"""Formats that name what has a finding; every other names every layer."""

DATA = {"json", "jsonl"}
"""Formats that escape names and leave them as they are; what shows the names makes them visible."""

VARIANTS = {
    "clean.full-anatomy": ("clean", "full", RenderOptions(anatomy=True)),
    "failing.full-quiet": ("failing", "full", RenderOptions(quiet=1)),
    "failing.full-run": ("failing", "full", RenderOptions()),
    "failing.full-run-ascii-80": ("failing", "full", RenderOptions(unicode=False, width=80)),
    "failing.full-run-flagged-40": ("failing", "full", RenderOptions(width=40, layers="flagged")),
    "failing.full-run-color": ("failing", "full", RenderOptions(color=True)),
    "compare.full-80": ("compare", "full", RenderOptions(width=80)),
}
EXAMPLES = {f"{report}.{name}": (report, name, RenderOptions()) for report in REPORTS for name in FORMATS} | VARIANTS


def text_of(canonical, example):
    report, name, options = EXAMPLES[example]
    found = canonical[report]
    return render(replace(found, command="run") if "-run" in example else found, name, options)


def golden_file(example):
    return GOLDEN / f"{example}{FORMATS[EXAMPLES[example][1]].extension}"


@pytest.mark.parametrize("example", EXAMPLES)
def test_golden(canonical, example, request):
    text, file = text_of(canonical, example), golden_file(example)
    if request.config.getoption("--update-golden", default=False):
        file.write_bytes(text.encode())
    assert file.is_file(), "no golden file: pytest tests/report --update-golden writes it"
    assert text == file.read_bytes().decode(), "if this is meant: pytest tests/report --update-golden"


def test_no_golden_file_is_left_over():
    assert {file.name for file in GOLDEN.iterdir()} == {golden_file(example).name for example in EXAMPLES}


@pytest.mark.parametrize("name", FORMATS)
class TestEveryFormat:
    def test_says_what_it_is(self, name):
        found = FORMATS[name]
        assert found.name == name
        assert re.fullmatch(r"\.[a-z]+", found.extension)
        assert 20 <= len(found.summary) <= 100
        assert found.summary.endswith(".") or found.summary.endswith("default.")

    def test_ends_in_one_newline_and_is_deterministic(self, name, named_report):
        _, report = named_report
        text = render(report, name)
        assert text.endswith("\n")
        assert not text.endswith("\n\n")
        assert text == render(report, name)
        text.encode()

    @pytest.mark.parametrize("options", [RenderOptions(), RenderOptions(anatomy=True, layers="all", width=60)])
    def test_hostile_names_do_no_harm(self, name, canonical, options):
        text = render(canonical["hostile"], name, options)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)
        if name != "github":
            assert not any(line.lstrip().startswith("::") for line in text.splitlines())
        if name not in DATA:
            assert "##[" not in text

    def test_no_escape_byte_without_colour(self, name, named_report):
        assert "\x1b" not in render(named_report[1], name, RenderOptions(color=False))


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in FINDINGS_ONLY])
def test_every_call_site_is_named_on_request(canonical, name):
    text = render(canonical["clean"], name, RenderOptions(layers="all"))
    paths = {summary.site.path for summary in canonical["clean"].entries[0].sites}
    assert {path for path in paths if path not in text.replace("\\", "")} == set()


@pytest.mark.parametrize("width", [None, 200, 80, 40, 10, 1])
@pytest.mark.parametrize("layers", ["grouped", "all"])
def test_the_terminal_table_drops_no_name(canonical, width, layers):
    text = render(canonical["clean"], "full", RenderOptions(width=width, layers=layers, anatomy=True))
    expected = ["stem", "head", "stem.weight"]
    expected += (
        ["block.0–3.linear", "block.0–3.relu"] if layers == "grouped" else [f"block.{n}.linear" for n in range(4)]
    )
    assert [name for name in expected if name not in text] == []


@pytest.mark.parametrize("name", ["full", "concise"])
def test_ascii_has_no_other_byte(name, named_report):
    _, report = named_report
    text = render(report, name, RenderOptions(unicode=False, anatomy=True))
    assert text.isascii()
    assert render(report, name, RenderOptions(anatomy=True)).count("\n") == text.count("\n")


@pytest.mark.parametrize("name", ["full", "concise"])
def test_quiet_and_very_quiet(name, canonical):
    assert "vanishing-forward" in render(canonical["failing"], name, RenderOptions(quiet=1))
    assert render(canonical["failing"], name, RenderOptions(quiet=2)) == ""


def test_colour_changes_nothing_but_colour(named_report):
    _, report = named_report
    coloured = render(report, "full", RenderOptions(color=True))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in plain.splitlines()] == render(report, "full").splitlines()


def test_the_environment_does_not_matter(canonical, monkeypatch):
    before = render(canonical["failing"], "full")
    for name, value in {"FORCE_COLOR": "1", "COLUMNS": "20", "TERM": "dumb", "TTY_COMPATIBLE": "1"}.items():
        monkeypatch.setenv(name, value)
    assert render(canonical["failing"], "full") == before


def test_csv_parses_strictly_and_has_a_row_per_site_and_direction(named_report):
    _, report = named_report
    rows = list(csv.DictReader(io.StringIO(render(report, "csv")), strict=True))
    expected = sum(1 + (summary.backward is not None) for entry in report.entries for summary in entry.sites)
    assert len(rows) == expected
    for row in rows:
        assert None not in row
        assert None not in row.values()
        assert float(row["rms_mean"] or "nan") is not None
        assert not any(cell.startswith(("=", "+", "@")) for cell in row.values())


def test_json_parses_strictly(named_report):
    def refuse(constant):
        raise AssertionError(constant)

    _, report = named_report
    text = render(report, "json")
    assert json.loads(text, parse_constant=refuse)["schema"] == "initprobe/result/v1"
    assert text.isascii()


def test_the_page_about_ci_tells_of_formats_that_are_there():
    page = (Path(__file__).parents[2] / "docs" / "ci.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(\w+)` \|", page.partition("## Formats")[2], re.MULTILINE)
    assert len(told) >= 10
    assert set(told) <= set(FORMATS)


def test_an_unknown_format_suggests_the_nearest(canonical):
    with pytest.raises(UsageError, match="unknown format 'jsn'") as caught:
        render(canonical["empty"], "jsn")
    assert "json" in str(caught.value.hint)
