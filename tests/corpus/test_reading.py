"""The heads of the corpus' files are read as they are meant."""

from __future__ import annotations

import pytest

from initprobe.records import Finding, RuleCard
from tests.corpus.judging import Judged, about
from tests.corpus.reading import Wanted, read

HEAD = """\
# What it is,
# in two lines.
# corpus: rule IP505 or IP102 at net.*
# corpus: rule IP001
# corpus: allows IP202 because the same weights carry the gradient
# corpus: probe {loss: cross_entropy, batch: 32}
# corpus: check {select: [IP404]}
# corpus: requires torch
import torch
# corpus: rule IP999
"""


@pytest.fixture
def written(tmp_path):
    def write(text, folder="defective", name="model.py"):
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_head_is_read(written):
    model = read(written(HEAD))
    assert model.title == "What it is, in two lines"
    assert model.wanted == (Wanted(("IP505", "IP102"), "net.*"), Wanted(("IP001",)))
    assert model.allowed == {"IP202": "the same weights carry the gradient"}
    assert model.probe == {"loss": "cross_entropy", "batch": 32}
    assert model.check == {"select": ["IP404"]}
    assert model.requires == ("torch",)
    assert model.unsolved is None
    assert model.target.endswith("model.py:build")


def test_a_spec_is_its_own_target(written):
    model = read(written("# yaml-language-server: $schema=x\n# Sound.\nversion: 1\n", "healthy", "net.yaml"))
    assert model.target.endswith("net.yaml")
    assert model.title == "Sound"


def test_what_is_not_there_is_why_a_model_is_left_out(written):
    assert read(written("# A.\n# corpus: rule IP999\n")).missing == "rule not there: IP999"
    assert read(written("# A.\n# corpus: rule IP999 or IP101\n")).missing is None
    assert (
        read(written("# A.\n# corpus: requires no_such_package\n", "healthy")).missing
        == "no_such_package is not installed"
    )


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("# A.\n# corpus: rule IP12 at x\n", "defective"),
        ("# A.\n# corpus: allows IP101\n", "healthy"),
        ("# A.\n# corpus: rule IP101\n", "healthy"),
        ("# A.\n", "defective"),
        ("# corpus: rule IP101\n", "defective"),
    ],
)
def test_what_cannot_be_meant_is_refused(written, text, folder):
    with pytest.raises(ValueError, match=r"^model\.py"):
        read(written(text, folder))


def finding(**fields):
    return Finding(
        RuleCard("IP301", "dead-units", "warning", "high", ""), "warning", fields.pop("message", ""), **fields
    )


@pytest.mark.parametrize(
    ("found", "glob", "expected"),
    [
        (finding(sites=("net.0", "net.2#3")), "net.2", True),
        (finding(sites=("rnn.cell#2[1]",)), "*cell", True),
        (finding(sites=("net.0",)), "head*", False),
        (finding(label="blocks.0.gate, blocks.1.gate and 2 more"), "blocks.1.*", True),
        (finding(label="net.0 … net.6 (4 layers)"), "net.6", True),
        (finding(label="net.0"), None, True),
    ],
)
def test_a_finding_is_about_the_layers_that_it_names(found, glob, expected):
    assert about(found, glob) is expected


def test_warnings_count_in_healthy_models_alone(written):
    judged = Judged((), (), (), ("IP301",), (), "pass", 5)
    assert judged.wrong(read(written("# A.\n# corpus: rule IP101\n"))) == []
    assert judged.wrong(read(written("# A.\n", "healthy"))) == ["unexpected warning IP301"]
