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


class TestTheProjectOfNow:
    """A saved result is judged like a fresh one: by the settings that hold now, and the spec as it was."""

    def settings(self, folder, *lines):
        (folder / "pyproject.toml").write_text("[tool.initprobe]\n" + "".join(f"{line}\n" for line in lines))

    @pytest.mark.parametrize(
        ("lines", "code"),
        [
            (('ignore = ["forward", "backward"]',), 0),
            (('select = ["dead-units"]',), 0),
            (('fail-on = "never"',), 0),
            (('severity = {IP1 = "warning", IP2 = "warning"}',), 0),
            (('severity = {IP1 = "warning", IP2 = "warning"}', 'fail-on = "warning"'), 1),
            (('layer-ignores = {"block.*" = ["IP1", "IP2"]}',), 0),
            (('layer-ignores = {"block.3.*" = ["IP1", "IP2"]}',), 1),
        ],
        ids=str,
    )
    def test_a_fresh_and_a_saved_one_agree(self, saved, folder, lines, code):
        self.settings(folder, *lines)
        assert saved("check", "bad.json").code == code
        assert saved("check", "tiny.yaml", "--scheme", "normal(std=0.001)").code == code

    def test_the_environment_and_flags_win_over_it(self, saved, folder, monkeypatch):
        self.settings(folder, 'fail-on = "never"')
        monkeypatch.setenv("INITPROBE_FAIL_ON", "error")
        assert saved("check", "bad.json").code == 1
        assert saved("check", "bad.json", "--fail-on", "never").code == 0

    def test_what_was_typed_then_is_forgotten(self, saved, folder):
        words = ("--fail-on", "never", "--severity", "IP1=info", "--ignore", "IP2")
        bad = ("check", "tiny.yaml", "--scheme", "normal(std=0.001)")
        assert saved(*bad, *words, "--save", "soft.json", "-qq").code == 0
        ran = saved("check", "soft.json")
        assert ran.code == 1
        assert "error[vanishing-forward]" in ran.out
        assert "note: did not look when this was measured: vanishing-backward, exploding-backward" in ran.out

    def test_what_the_spec_said_of_itself_wins_over_the_project(self, saved, folder):
        spec = (folder / "tiny.yaml").read_text()
        (folder / "own.yaml").write_text(spec + "check: {fail_on: error, layer_ignores: {'block.*': [IP1, IP2]}}\n")
        words = ("own.yaml", "--scheme", "normal(std=0.001)")
        assert saved("check", *words, "--save", "own.json", "-qq").code == 0
        self.settings(folder, 'fail-on = "info"')
        assert saved("check", *words).code == 0
        assert saved("check", "own.json").code == 0
        assert saved("check", "bad.json").code == 1

    def test_a_suppression_of_then_does_not_hold_now(self, saved, folder):
        self.settings(folder, 'layer-ignores = {"block.*" = ["IP1", "IP2"]}')
        bad = ("check", "tiny.yaml", "--scheme", "normal(std=0.001)")
        assert saved(*bad, "--save", "kept.json", "-qq").code == 0
        self.settings(folder)
        assert saved("check", "kept.json").code == 1
        assert saved(*bad, "--baseline", "b.json", "--update-baseline", "--save", "known.json", "-qq").code == 0
        assert saved("check", "known.json").code == 1
        assert saved("check", "known.json", "--baseline", "b.json").code == 0, "it knows what was measured, and how"

    def test_limits_are_those_of_then_and_others_are_refused(self, saved, folder):
        limit = "thresholds = {forward-drift = {error = 500}}"
        self.settings(folder, limit)
        ran = saved("check", "bad.json")
        assert ran.code == 2
        assert "the project's limit forward_drift.error is 500, and 'bad.json' was judged by 1000" in ran.err + ran.out
        assert saved("check", "tiny.yaml", "--save", "new.json", "-qq").code == 0
        assert saved("check", "new.json").code == 0
        assert saved("compare", "bad.json", "good.json").code == 0

    def test_another_precision_is_another_measurement(self, saved):
        ran = saved("check", "good.json", "--precision", "float16")
        assert ran.code == 2
        assert "--precision float16 asks for another measurement" in ran.err + ran.out
