"""The table over time steps."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from initprobe.report.formats.base import RenderOptions
from initprobe.report.formats.full import full
from initprobe.report.steps import step_table


@pytest.fixture
def over_time(canonical):
    """A report whose first site runs over three steps."""
    report = canonical["clean"]
    entry = report.entries[0]
    site = entry.sites[0]
    forward = {**site.forward, "rms_by_step": (1.0, 0.15, 0.012)}
    backward = {**site.backward, "rms_by_step": (0.0, math.nan, 2.0)}
    changed = replace(entry, sites=(replace(site, forward=forward, backward=backward), *entry.sites[1:]))
    return replace(report, entries=(changed,))


def test_a_site_over_time_is_a_row(over_time):
    entry = over_time.entries[0]
    table = step_table(entry, RenderOptions(unicode=True))
    assert [column.head for column in table.columns] == [
        "over time", "steps", "RMS first → last", "RMS first ← last",
    ]  # fmt: skip
    (row,) = table.rows
    name, steps, forward, backward = (text for text, _ in row)
    assert (name, steps) == (entry.sites[0].site.key, "3")
    assert forward.split() == ["1.00", "▆▄▁", "0.0120"]
    assert backward.split()[0] == "0"
    assert backward.endswith(" 2.00")
    assert "0 zero" in table.legend


def test_the_report_shows_it_only_where_it_was_measured(over_time, canonical):
    options = RenderOptions(unicode=True)
    assert "over time" in full(over_time, options)
    assert "over time" not in full(canonical["clean"], options)
