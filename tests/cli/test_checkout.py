"""Files are named from the root of the checkout, wherever in it somebody stands."""

import io
import json
import re

import pytest

LIBRARY = """\
import torch
from torch import nn


def build():
    layers = []
    for _ in range(20):
        layer = nn.Linear(16, 16, bias=False)
        nn.init.normal_(layer.weight, std=0.01)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers), torch.randn(16, 16)
"""
BAD = ("../../lib/nets.py:build", "../../tiny.yaml", "./own.yaml", "--scheme", "normal(std=0.001)", "--select", "IP1")


@pytest.fixture
def below(initprobe, folder, monkeypatch):
    """A repository, and a shell two folders below its root."""
    (folder / ".git").mkdir()
    (folder / "lib").mkdir()
    (folder / "lib" / "nets.py").write_text(LIBRARY)
    (folder / "services" / "model").mkdir(parents=True)
    (folder / "services" / "model" / "own.yaml").write_text((folder / "tiny.yaml").read_text())
    monkeypatch.chdir(folder / "services" / "model")
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    monkeypatch.delenv("CI_PROJECT_DIR", raising=False)
    return initprobe


def named(text, name):
    if name == "gitlab":
        return [issue["location"]["path"] for issue in json.loads(text)]
    if name == "sarif":
        (run,) = json.loads(text)["runs"]
        places = [result["locations"][0]["physicalLocation"] for result in run["results"]]
        return [place["artifactLocation"]["uri"] for place in places]
    return re.findall(r"place: ([^:]*):" if name == "junit" else r"^::error file=([^,]*),", text, re.MULTILINE)


@pytest.mark.parametrize("name", ["gitlab", "sarif", "github", "junit"])
def test_files_above_the_working_directory_are_named_from_the_root(below, name):
    ran = below("check", *BAD, "-o", name)
    assert ran.code == 1
    assert named(ran.out, name) == ["lib/nets.py", "tiny.yaml", "services/model/own.yaml"]


def test_a_worktree_and_what_the_ci_says_are_roots_too(below, folder, monkeypatch):
    (folder / ".git").rmdir()
    (folder / ".git").write_text("gitdir: /elsewhere\n")
    (folder / "services" / ".git").mkdir()
    assert named(below("check", *BAD, "-o", "gitlab").out, "gitlab")[2] == "model/own.yaml"
    monkeypatch.setenv("CI_PROJECT_DIR", str(folder))
    assert named(below("check", *BAD, "-o", "gitlab").out, "gitlab")[0] == "lib/nets.py"


def test_a_file_outside_of_the_checkout_keeps_its_whole_name(below, folder):
    (folder / ".git").rmdir()
    (folder / "services" / ".git").mkdir()
    found = named(below("check", *BAD, "-o", "gitlab").out, "gitlab")
    assert found == [f"{folder.resolve()}/lib/nets.py", f"{folder.resolve()}/tiny.yaml", "model/own.yaml"]


def test_a_target_that_is_broken_is_named_alike(below, folder):
    (folder / "lib" / "nets.py").write_text("def build():\n    raise ValueError('no')\n")
    (issue,) = json.loads(below("check", "../../lib/nets.py:build", "-o", "gitlab").out)
    assert issue["location"]["path"] == "lib/nets.py"


def test_a_network_of_no_file_stands_at_the_nearest_file_of_the_project(below, folder, monkeypatch):
    (folder / "README.md").write_text("# a network\n")
    spec = (folder / "tiny.yaml").read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(spec)))
    assert named(below("check", "-", *BAD[3:], "-o", "gitlab").out, "gitlab") == ["README.md"]


def test_what_was_saved_below_is_named_alike(below):
    assert below("check", *BAD, "--save", "result.json", "-qq").code == 1
    again = below("check", "result.json", "-o", "gitlab")
    assert named(again.out, "gitlab") == ["lib/nets.py", "tiny.yaml", "services/model/own.yaml"]


def test_people_read_what_they_can_open_from_where_they_stand(below):
    out = below("check", *BAD, "-o", "full").out
    assert re.findall(r"--> ([^:]*):", out) == ["../../lib/nets.py", "../../tiny.yaml", "own.yaml"]
