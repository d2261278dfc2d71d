"""A project's settings at the command line: targets, precedence, `config`, and code that only a flag lets run."""

import json

import pytest

import initprobe.project

TABLE = """\
[tool.initprobe]
targets = ["*.yaml", "nets/plain.yaml"]
seeds = 2
max-seeds = 2
batch = 8
"""


@pytest.fixture
def project(initprobe, folder):
    (folder / "pyproject.toml").write_text(TABLE)
    (folder / "sub").mkdir()
    (folder / "nets").mkdir()
    plain = (folder / "tiny.yaml").read_text().replace("tiny", "plain")
    (folder / "nets" / "plain.yaml").write_text(plain[: plain.index("probe:")])
    return initprobe


def probed(out):
    return {entry["name"]: entry for entry in json.loads(out)["results"]}


def test_a_check_without_targets_checks_the_project_s(project):
    ran = project("check", "-o", "json")
    found = probed(ran.out)
    assert set(found) == {"tiny", "plain"}
    assert (found["plain"]["seeds"], found["plain"]["batch"]) == ([0, 1], 8)
    assert found["tiny"]["batch"] == 16, "a spec wins over the project"
    assert found["tiny"]["request"]["target"]["text"] == "tiny.yaml"


def test_they_are_the_same_from_a_folder_below(project, monkeypatch):
    monkeypatch.chdir("sub")
    assert set(probed(project("check", "-o", "json").out)) == {"tiny", "plain"}


def test_a_typed_target_and_a_flag_win(project, monkeypatch):
    monkeypatch.setenv("INITPROBE_SEEDS", "1")
    monkeypatch.setenv("INITPROBE_MAX_SEEDS", "1")
    ran = project("run", "nets/plain.yaml", "--batch", "4", "-o", "json")
    (entry,) = json.loads(ran.out)["results"]
    assert (entry["seeds"], entry["batch"]) == ([0], 4)


def test_code_that_the_file_names_runs_only_when_a_flag_says_so(project, folder):
    (folder / "pyproject.toml").write_text('[tool.initprobe]\ntargets = ["models.py:healthy"]\nseeds = 1\n')
    refused = project("check")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == (
        "error[code]: pyproject.toml:2 names code to run: 'models.py:healthy'\n"
        "  = help: add --allow-code if you trust it\n"
    )
    assert project("check", "--allow-code").code == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no target: there is no project file with any"),
        ("[tool.initprobe]\nseeds = 2\n", "no target: pyproject.toml lists none"),
        ("[tool.initprobe]\n# here\ntargets = ['nets/*.yaml']\n", "pyproject.toml:3: no file fits 'nets/*.yaml'"),
    ],
)
def test_no_target_at_all_is_told(initprobe, folder, text, told):
    (folder / "pyproject.toml").write_text(text)
    ran = initprobe("check")
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err


def test_wrong_settings_stop_every_measurement(initprobe, folder):
    (folder / "pyproject.toml").write_text("[tool.initprobe]\nfailon = 'error'\n")
    ran = initprobe("run", "tiny.yaml")
    assert (ran.code, ran.out) == (2, "")
    assert "error[settings]: unknown setting 'failon'\n  --> pyproject.toml:2:1" in ran.err
    assert initprobe("config").code == 2


def test_config_shows_every_setting_and_its_origin(project, monkeypatch):
    monkeypatch.setenv("INITPROBE_FAIL_ON", "warning")
    ran = project("config", "--show")
    lines = [line.split() for line in ran.out.splitlines()]
    assert ["batch", "8", "pyproject.toml:5"] in lines
    assert ["fail-on", '"warning"', "INITPROBE_FAIL_ON"] in lines
    assert ["mode", '"train"', "default"] in lines
    rows = json.loads(project("config", "--json").out)
    assert {"key": "seeds", "value": 2, "origin": "pyproject.toml:3"} in rows


def test_the_project_s_baseline_is_relative_to_its_file(project, folder, monkeypatch):
    (folder / "pyproject.toml").write_text(
        '[tool.initprobe]\ntargets = ["tiny.yaml"]\nbaseline = "known.json"\nseeds = 2\n'
    )
    bad = ("--scheme", "normal(std=0.001)")
    assert project("check", *bad, "--update-baseline").code == 0
    assert '"target": "tiny.yaml --scheme normal(std=0.001)"' in (folder / "known.json").read_text()
    monkeypatch.chdir("sub")
    assert project("check", *bad).code == 0
    assert project("check", "../tiny.yaml", *bad).code == 0
    assert project("check", "../tiny.yaml", "--scheme", "normal(std=0.002)").code == 1


def test_rules_are_added_and_taken_away(project):
    bad = ("tiny.yaml", "--scheme", "normal(std=0.001)")
    assert project("check", *bad, "--select", "IP3").code == 0
    assert project("check", *bad, "--select", "IP3", "--extend-select", "IP101").code == 1
    assert project("check", *bad, "--extend-ignore", "IP1,IP2").code == 0


def test_the_schema_of_the_table(initprobe):
    assert "layer-ignores" in json.loads(initprobe("schema", "config").out)["properties"]


@pytest.mark.parametrize("words", [(), ("tiny.yaml", "--baseline", "known.json", "--update-baseline")], ids=str)
def test_a_command_reads_the_settings_once(project, monkeypatch, words):
    read, find = [], initprobe.project.find_project
    monkeypatch.setattr("initprobe.project.find_project", lambda *given: read.append(given) or find(*given))
    assert project("check", *words, "-qq").code == 0
    assert len(read) == 1
