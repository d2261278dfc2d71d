"""Every plot on every canonical report: a picture or nothing, the same bytes twice, and no text taken for markup."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from initprobe.check.limits import resolve
from initprobe.errors import UsageError
from initprobe.records import Estimate, Report
from initprobe.report import figures
from initprobe.report.depth import site_groups
from initprobe.report.figures import picture, save_plots
from initprobe.report.plots.base import PLOTS
from initprobe.report.plots.gain import DRIFT_LIMITS


def with_rms(entry, values):
    """The entry with another RMS at every site, forwards and backwards."""

    def changed(statistics, value):
        same = Estimate(value, value, value, (value, value))
        return dict(statistics) | {"rms": same, "channel_mean": same, "channel_std": same}

    sites = [
        replace(
            summary,
            forward=changed(summary.forward, values[place % len(values)]),
            backward=summary.backward and changed(summary.backward, values[-1 - place % len(values)]),
        )
        for place, summary in enumerate(entry.sites)
    ]
    return replace(entry, sites=tuple(sites))


ODD = {
    "nothing finite": [float("inf"), float("nan")],
    "huge and nothing": [1e300, 1e-300, 1e190, 1e-190, 0.0, float("nan")],
}


@pytest.mark.parametrize("name", PLOTS)
class TestEveryPlot:
    def test_says_what_it_is(self, name):
        assert 20 <= len(PLOTS[name].summary) <= 100

    def test_draws_a_figure_or_nothing(self, name, named_report):
        _, report = named_report
        figure = PLOTS[name].draw(report.entries)
        assert figure is None or isinstance(figure, Figure)
        assert PLOTS[name].draw(()) is None

    def test_has_something_to_show_of_a_plain_run(self, name, canonical):
        figure = PLOTS[name].draw(canonical["residual"].entries)
        assert figure is not None
        assert all(
            axes.get_title(loc="left") and axes.get_ylabel() for axes in figure.axes if axes.get_label() != "<colorbar>"
        )

    @pytest.mark.parametrize("values", ODD.values(), ids=ODD)
    def test_odd_numbers_are_drawn(self, name, canonical, values):
        entry = with_rms(canonical["residual"].entries[0], values)
        figure = PLOTS[name].draw((entry,))
        assert figure is None or b"</svg>" in picture(figure, "svg")

    def test_entries_of_different_depth_share_a_figure(self, name, canonical):
        entries = (canonical["residual"].entries[0], canonical["failing"].entries[0])
        assert b"</svg>" in picture(PLOTS[name].draw(entries), "svg")


def test_the_users_style_neither_shows_nor_is_lost(canonical):
    plain = picture(PLOTS["signal"].draw(canonical["clean"].entries), "svg")
    with mpl.rc_context({"axes.facecolor": "black", "font.size": 30.0}):
        assert picture(PLOTS["signal"].draw(canonical["clean"].entries), "svg") == plain
        assert mpl.rcParams["font.size"] == 30.0


@pytest.mark.untraced
@pytest.mark.parametrize(("report", "extension"), [("hostile", "svg"), ("clean", "png")])
def test_equal_reports_give_equal_bytes_without_markup(canonical, tmp_path, report, extension):
    first = save_plots(canonical[report], tmp_path / "a", formats=(extension,))
    second = save_plots(canonical[report], tmp_path / "b", formats=(extension,))
    assert [path.name for path in first] == [path.name for path in second]
    assert {path.name for path in first} == {path.name for path in (tmp_path / "a").iterdir()}
    if report == "clean":
        assert {"gain.png", "signal.png"} <= {path.name for path in first}
    for one, other in zip(first, second, strict=True):
        data = one.read_bytes()
        assert data == other.read_bytes()
        assert b"Matplotlib" not in data
        if extension == "svg":
            ET.fromstring(data)
            assert b"<script" not in data
            assert b"\x1b" not in data


@pytest.mark.untraced
def test_several_targets_have_names_of_their_own(canonical, tmp_path):
    entry = canonical["residual"].entries[0]
    report = Report("run", tuple(replace(entry, name=name) for name in ("../a/b", "a-b")))
    written = save_plots(report, tmp_path / "deep" / "er", formats=("svg",))
    assert len(set(written)) == 2 * len(PLOTS)
    assert all(path.parent == tmp_path / "deep" / "er" for path in written)


@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())))
def test_a_file_name_hides_nothing_and_is_shared_by_no_two_names(one, other):
    assert re.fullmatch(r"[a-z0-9-]{1,69}|", figures._slug(one))
    assert (figures._slug(one) == figures._slug(other)) == (one == other)


def test_what_could_not_be_probed_has_no_picture(canonical, tmp_path):
    assert save_plots(Report("run", (canonical["hostile"].entries[1],)), tmp_path) == ()
    assert save_plots(canonical["empty"], tmp_path) == ()


def test_mistakes_are_one_clear_message(canonical, tmp_path):
    with pytest.raises(UsageError, match="unknown picture format 'bmp'"):
        save_plots(canonical["clean"], tmp_path, formats=("bmp",))
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="cannot make the directory"):
        save_plots(canonical["clean"], tmp_path / "file" / "plots")


def test_the_shaded_band_is_the_one_that_judges():
    limits = resolve()
    for side in ("forward", "backward"):
        assert {level: limits[f"{side}_drift.{level}"] for level in DRIFT_LIMITS} == DRIFT_LIMITS


def test_neighbours_share_a_label():
    keys = ["stem", *(f"h.{block}.{part}" for block in range(12) for part in ("attn", "mlp")), "norm", "head"]
    groups = site_groups(keys)
    assert [group.label for group in groups] == ["stem", "h.0–11", "norm", "head"]
    assert groups[1].starts[:3] == ((0, 1), (1, 3), (2, 5))
    assert [group.label for group in site_groups(["0", "2", "4"])] == ["0,2,4"]


def test_the_room_loads_no_pyplot_and_the_formats_no_matplotlib():
    code = (
        "import sys; from initprobe.report.formats.base import FORMATS; from initprobe.report.plots.base import PLOTS;"
        "len(FORMATS), len(PLOTS); assert not {'matplotlib', 'torch', 'numpy'} & set(sys.modules);"
        "from initprobe.report.style import house_style; house_style().__enter__();"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=Path(__file__).parent
    )
    assert done.returncode == 0, done.stderr
