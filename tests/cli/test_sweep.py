"""`initprobe sweep`: one table over the grid of a spec."""

import csv
import io
import json

import pytest

SPEC = """\
version: 1
name: swept
vars: {depth: 6, width: 12}
model:
  input: {shape: [12]}
  layers:
    - {type: repeat, times: "${depth}", name: block, layers: [{type: linear, out: "${width}"}, relu]}
probe: {seeds: 2, max_seeds: 2, batch: 16}
sweep:
  vars.depth: [5, 8]
  init.default: [he, {scheme: normal, std: 0.01}]
"""


@pytest.fixture
def swept(folder):
    (folder / "swept.yaml").write_text(SPEC)
    return folder


def test_one_table_of_points(initprobe, swept):
    ran = initprobe("sweep", "swept.yaml")
    assert ran.code == 0
    assert "point · scheme" in ran.out
    for row in ("depth=5 · he", "depth=5 · normal(std=0.01)", "depth=8 · he", "depth=8 · normal(std=0.01)"):
        assert row in ran.out
    assert "gain/layer" in ran.out
    assert "rank" in ran.out
    assert "FAIL" in ran.out


def test_other_formats_and_the_result_file(initprobe, swept):
    ran = initprobe("sweep", "swept.yaml", "-o", "json", "-o", "csv=r.csv", "-o", "markdown=r.md", "--save", "r.json")
    result = json.loads(ran.out)
    assert result["command"] == "sweep"
    assert [entry["name"] for entry in result["results"]] == ["depth=5", "depth=5", "depth=8", "depth=8"]
    assert result["results"][3]["request"]["target"]["sets"] == [
        ["vars.depth", "8"],
        ["init.default", '{"scheme": "normal", "std": 0.01}'],
    ]
    assert {row["target"] for row in csv.DictReader(io.StringIO((swept / "r.csv").read_text()))} == {
        "depth=5",
        "depth=8",
    }
    assert "| depth=8 · he |" in (swept / "r.md").read_text()
    assert (swept / "r.json").read_text() == ran.out


def test_what_an_option_decides_is_no_axis(initprobe, swept):
    ran = initprobe("sweep", "swept.yaml", "--scheme", "xavier", "--set", "vars.width=9", "-o", "json")
    assert [(one["name"], one["scheme"]) for one in json.loads(ran.out)["results"]] == [
        ("depth=5", "xavier_normal"),
        ("depth=8", "xavier_normal"),
    ]
    assert initprobe("sweep", "swept.yaml", "--scheme", "he", "--set", "vars.depth=3").code == 2


def test_an_axis_comes_from_the_command_line(initprobe, folder):
    ran = initprobe("sweep", "tiny.yaml", "--set", "sweep.probe.seeds=[[0], [1]]", "-o", "json")
    assert [one["seeds"] for one in json.loads(ran.out)["results"]] == [[0, 1], [1, 2]]


def test_a_broken_point_hides_no_other(initprobe, swept):
    ran = initprobe("sweep", "swept.yaml", "--set", "sweep.vars.width=[12, x]", "--set", "sweep.vars.depth=[5]")
    assert ran.code == 2
    assert "depth=5, width=12 · he" in ran.out
    assert ran.out.count("could not be probed") == 2
    assert "'out' must be a whole number from 1 up, not 'x'\n  --> swept.yaml:7:" in ran.out


def test_a_spec_without_a_grid_is_told(initprobe, folder):
    ran = initprobe("sweep", "tiny.yaml")
    assert ran.code == 2
    assert "there is no `sweep:` section" in ran.err
    assert initprobe("sweep", "models.py:healthy").code == 2
    assert initprobe("sweep", "nothing.yaml").code == 2


def test_a_sweep_is_inherited(initprobe, swept):
    (swept / "child.yaml").write_text("version: 1\nextends: swept.yaml\nsweep: {vars.depth: [4], init.default: [he]}\n")
    ran = initprobe("sweep", "child.yaml", "-o", "csv")
    assert "depth=4" in ran.out
    assert "depth=5" not in ran.out
