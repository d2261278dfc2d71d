"""Saved results as input: rendered again, judged again, compared."""

import json

import pytest

from initprobe.load.target import is_saved


@pytest.fixture
def saved(initprobe):
    """Two results of one spec: healthy, and under a scheme that makes it vanish."""
    assert initprobe("run", "tiny.yaml", "--save", "good.json", "-qq").code == 0
    assert initprobe("check", "tiny.yaml", "--scheme", "normal(std=0.001)", "--save", "bad.json", "-qq").code == 1
    return initprobe


def test_a_result_renders_as_it_did(saved, folder):
    first = saved("run", "tiny.yaml", "-o", "full", "-o", "markdown=a.md", "--layers", "all").out
    again = saved("report", "good.json", "-o", "full", "-o", "markdown=b.md", "--layers", "all")
    assert (again.code, again.out, again.err) == (0, first, "")
    assert (folder / "a.md").read_text() == (folder / "b.md").read_text()


def test_saving_what_was_read_gives_the_same_bytes(saved, folder):
    assert saved("report", "bad.json", "-o", "json=again.json").code == 0
    assert (folder / "again.json").read_bytes() == (folder / "bad.json").read_bytes()


def test_a_bad_result_fails_a_check_again_until_its_rules_are_ignored(saved):
    assert saved("report", "bad.json").code == 0
    again = saved("check", "bad.json")
    assert again.code == 1
    assert "error[vanishing-forward]" in again.out
    assert saved("check", "bad.json", "good.json").code == 1
    assert saved("check", "bad.json", "--ignore", "forward,backward,output").code == 0
    assert saved("check", "bad.json", "--fail-on", "never").code == 0
    softened = saved("check", "bad.json", "--severity", "IP1=warning", "--severity", "IP2=warning")
    assert softened.code == 0
    assert "warning[vanishing-forward]" in softened.out
    assert saved("check", "good.json").code == 0


def test_the_verdict_is_that_of_now(saved, folder):
    assert saved("check", "bad.json", "--fail-on", "never", "-o", "json=now.json", "-qq").code == 0
    (entry,) = json.loads((folder / "now.json").read_text())["results"]
    assert entry["verdict"] == "pass"
    assert entry["request"]["check"]["fail_on"] == "never"


def test_results_stand_side_by_side(saved):
    ran = saved("compare", "good.json", "bad.json")
    assert ran.code == 0
    assert "kaiming_normal" in ran.out
    assert "normal(std=0.001)" in ran.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("good.json", "--seeds", "3"), "--seeds asks for another measurement"),
        (("good.json", "--scheme", "he"), "--scheme asks for another measurement"),
        (("good.json", "--threshold", "forward_drift.error=10"), "--threshold asks for another measurement"),
        (("goud.json",), "did you mean 'good.json'?"),
        (("models.json",), "there is no file 'models.json'"),
        (("torn.json",), "torn.json: the result file is not JSON"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_read_or_changed_is_told(saved, folder, words, told):
    (folder / "torn.json").write_text((folder / "good.json").read_text()[:1000])
    ran = saved("check", *words)
    assert ran.code == 2
    assert told in ran.out + ran.err


def test_a_broken_result_hides_no_other(saved, folder):
    (folder / "torn.json").write_text("{")
    ran = saved("check", "torn.json", "tiny.yaml")
    assert ran.code == 2
    assert "in 1 target · 1 target could not be probed" in ran.out


def test_a_report_reads_standard_input(saved, folder, monkeypatch):
    with (folder / "good.json").open("rb") as stream:
        monkeypatch.setattr("sys.stdin", type("Stdin", (), {"buffer": stream}))
        assert saved("report", "-", "-o", "concise").out == saved("report", "good.json", "-o", "concise").out


PYTHON = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(32, 32)
        self.relu = nn.ReLU()  # initprobe: ignore[dead-units] asleep until the gate opens
        # initprobe: ignore[identical-units]
        self.head = nn.Linear(32, 2)
        nn.init.constant_(self.first.bias, -10.0)

    def forward(self, x):
        return self.head(self.relu(self.first(x)))


def build():
    return Net(), torch.randn(64, 32)
"""


def test_a_comment_in_python_suppresses_with_its_reason_and_stays_suppressed_in_the_result(initprobe, folder):
    (folder / "net.py").write_text(PYTHON)
    ran = initprobe("check", "net.py:build", "--select", "dead-units,unused-ignore", "--save", "net.json")
    assert (ran.code, ran.out) == (0, "no findings in 1 target · 1 suppressed · seeds 0–4\n")
    shown = initprobe("check", "net.json", "--show-suppressed")
    assert "suppressed error[dead-units]" in shown.out
    assert " = ignored:  ignored at net.py:9 (asleep until the gate opens)\n" in shown.out
    (folder / "idle.py").write_text(PYTHON.replace("constant_(self.first.bias, -10.0)", "zeros_(self.first.bias)"))
    idle = initprobe("check", "idle.py:build", "--select", "dead-units,unused-ignore", "--strict")
    assert idle.code == 1
    assert "error[unused-ignore]: ignores dead-units, which finds nothing here\n --> idle.py:9:" in idle.out


@pytest.mark.parametrize(
    ("text", "saved"),
    [("golden.json", True), ("a/GOLDEN.JSON", True), ("hf:bert/config.json", False), ("C:/golden.json", True)],
)
def test_a_configuration_of_a_library_is_no_saved_result(text, saved):
    assert is_saved(text) is saved
