"""The tables of the statistics that were asked for by name."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from initprobe.records import Estimate
from initprobe.report.asked import asked_tables
from initprobe.report.formats.base import RenderOptions
from initprobe.report.formats.full import full
from initprobe.report.formats.markdown import markdown

OPTIONS = RenderOptions(unicode=True)


def estimate(value):
    return Estimate(value, value, value, (value,))


@pytest.fixture
def asked(canonical):
    """A report whose config asks for three statistics: of sites both ways, of a weight, and one that is no number."""
    report = canonical["clean"]
    entry = report.entries[0]
    probe = replace(entry.request.probe, statistics=("abs_mean", "kurtosis", "exponents"), plotted=("channel_std",))
    first, *others = entry.sites
    weight, *rest = entry.weights
    forward = {**first.forward, "abs_mean": estimate(0.8), "exponents": (1.0, 2.0), "channel_std": estimate(7.25)}
    sites = (replace(first, forward=forward, backward={**first.backward, "abs_mean": estimate(0.25)}), *others)
    weights = (replace(weight, value={**weight.value, "kurtosis": estimate(math.nan)}), *rest)
    request = replace(entry.request, probe=probe)
    return replace(report, entries=(replace(entry, request=request, sites=sites, weights=weights),))


def rows(grid):
    return [[text for text, _ in row] for row in grid.rows]


def test_each_is_a_column_of_what_it_was_measured_at(asked):
    entry = asked.entries[0]
    layers, parameters = asked_tables(entry, replace(OPTIONS, layers="all"))
    assert [(column.over, column.head) for column in layers.columns[2:]] == [
        ("forward", "abs_mean"), ("backward", "abs_mean"),
    ]  # fmt: skip
    assert rows(layers) == [[entry.sites[0].site.key, "1", "0.800", "0.250"]]
    assert [(column.over, column.head) for column in parameters.columns[2:]] == [("value", "kurtosis")]
    assert rows(parameters) == [[entry.weights[0].weight.name, "1", "-"]]


def test_folded_layers_go_from_the_first_to_the_last(asked):
    entry = asked.entries[0]
    values = iter(range(1, 1 + len(entry.sites)))
    sites = [replace(one, forward={**one.forward, "abs_mean": estimate(float(next(values)))}) for one in entry.sites]
    layers = asked_tables(replace(entry, sites=tuple(sites)), OPTIONS)[0]
    folded = [(number, forward) for _, number, forward, _ in rows(layers) if number != "1"]
    assert folded
    assert all(" → " in forward for _, forward in folded)


def test_reports_show_them_where_they_were_asked_for_and_not_what_plots_are_drawn_from(asked, canonical):
    for render in (full, markdown):
        assert "kurtosis" in render(asked, OPTIONS)
        assert "7.25" not in render(asked, OPTIONS)
        assert "kurtosis" not in render(canonical["clean"], OPTIONS)
