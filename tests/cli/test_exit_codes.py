"""The exit codes are a contract: every row of the table, end to end."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from initprobe.errors import ExitCode


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run", "tiny.yaml"], ExitCode.OK),
        (["check", "tiny.yaml"], ExitCode.OK),
        (["run", "models.py:vanishing"], ExitCode.OK),
        (["check", "models.py:vanishing"], ExitCode.FINDINGS),
        (["check", "models.py:vanishing", "--exit-zero"], ExitCode.OK),
        (["check", "models.py:vanishing", "--fail-on", "never"], ExitCode.OK),
        (["check", "models.py:vanishing", "--ignore", "IP1,IP2,IP3"], ExitCode.OK),
        (["check", "models.py:vanishing", "--select", "IP102"], ExitCode.OK),
        (["check", "models.py:vanishing", "--severity", "IP101=info", "--ignore", "IP201"], ExitCode.OK),
        (["check", "models.py:vanishing", "--threshold", "forward_drift.error=1e300", "--ignore", "IP2"], ExitCode.OK),
        (["compare", "he", "zeros", "--depth", "4", "--width", "8", "--seeds", "1"], ExitCode.OK),
        (["validate", "tiny.yaml"], ExitCode.OK),
        (["run", "preset:siren", "--seeds", "1", "--batch", "8"], ExitCode.OK),
        (["run", "timm:test_resnet", "--seeds", "1", "--batch", "2"], ExitCode.OK),
        (["ls", "presets"], ExitCode.OK),
        (["check"], ExitCode.USAGE),
        (["frobnicate"], ExitCode.USAGE),
        (["check", "tiny.yaml", "--fail-on", "sometimes"], ExitCode.USAGE),
        (["check", "tiny.yaml", "--select", "no-such-rule"], ExitCode.USAGE),
        (["check", "tiny.yaml", "--scheme", "hee"], ExitCode.USAGE),
        (["check", "tiny.yaml", "--seeds", "none"], ExitCode.USAGE),
        (["check", "tiny.yaml", "--set", "model.colour=red"], ExitCode.USAGE),
        (["check", "tiny.yaml", "-o", "json", "-o", "csv"], ExitCode.USAGE),
        (["check", "tiny.yaml", "-o", "jsonn"], ExitCode.USAGE),
        (["check", "tiny.yaml", "--device", "tpu:7"], ExitCode.USAGE),
        (["check", "tiny.yaml", "--device", "meta"], ExitCode.USAGE),
        (["check", "tiny.yaml", "--batch", "1000000000000"], ExitCode.USAGE),
        (["check", "tiny.yaml", "--seeds", "0,3", "--seed", "9"], ExitCode.USAGE),
        (["check", "models.py:healthy", "--set", "model.width=3"], ExitCode.USAGE),
        (["check", "absent.yaml"], ExitCode.USAGE),
        (["check", "preset:absent"], ExitCode.USAGE),
        (["check", "timm:hf-hub:somebody/something"], ExitCode.USAGE),
        (["check", "models.py:instance"], ExitCode.USAGE),
        (["explain", "nothing-of-the-kind"], ExitCode.USAGE),
        (["ls", "unicorns"], ExitCode.USAGE),
        (["compare", "he"], ExitCode.USAGE),
        (["check", "models.py:fails"], ExitCode.TARGET),
        (["check", "models.py:absent"], ExitCode.TARGET),
        (["check", "models.py:needs_width"], ExitCode.TARGET),
        (["check", "no_such_module:build"], ExitCode.TARGET),
        (["check", "timm:absent"], ExitCode.TARGET),
        (["check", "torchvision:absent"], ExitCode.TARGET),
        (["check", "models.py:empty"], ExitCode.NOTHING),
        (["check", "models.py:interrupted"], ExitCode.INTERRUPTED),
    ],
)
def test_every_row_of_the_table(initprobe, arguments, code):
    ran = initprobe(*arguments)
    assert ran.code == code, ran
    assert "Traceback" not in ran.out
    if code not in {ExitCode.OK, ExitCode.FINDINGS}:
        assert ran.err.strip(), "whatever goes wrong is said on standard error"
        assert ran.out == ""


def test_a_bug_of_ours_is_5_with_the_path_of_its_traceback(initprobe, monkeypatch):
    def broken(*_args, **_kwargs):
        raise ZeroDivisionError("injected")

    monkeypatch.setattr("initprobe.pipeline.judge", broken)
    ran = initprobe("check", "tiny.yaml")
    assert ran.code == ExitCode.INTERNAL
    assert "Traceback" not in ran.err
    path = ran.err.strip().rsplit(" ", 1)[-1]
    assert "ZeroDivisionError: injected" in Path(path).read_text()


def test_a_bug_of_ours_inside_the_users_forward_is_ours(initprobe, monkeypatch):
    def broken(*_args, **_kwargs):
        raise ZeroDivisionError("injected")

    monkeypatch.setattr("initprobe.measure.ledger.Ledger.take", broken)
    assert initprobe("check", "models.py:healthy").code == ExitCode.INTERNAL


def test_several_targets_all_run_and_the_worst_code_wins(initprobe):
    ran = initprobe("check", "models.py:vanishing", "models.py:fails", "tiny.yaml", "-o", "json")
    assert ran.code == ExitCode.TARGET
    results = json.loads(ran.out)["results"]
    assert len(results) == 3
    assert "no such thing" in ran.err


def test_findings_outweigh_nothing_to_probe(initprobe):
    assert initprobe("check", "models.py:empty", "models.py:vanishing").code == ExitCode.FINDINGS


def test_the_users_frames_are_shown_and_ours_are_not(initprobe):
    ran = initprobe("run", "models.py:fails")
    assert "models.py" in ran.err
    assert "no such thing" in ran.err
    assert "initprobe/hooks.py" not in ran.err
    full = initprobe("run", "models.py:fails", "--traceback", "full")
    assert "Traceback" in full.err or "subject.py" in full.err


def test_strict_turns_inconclusive_into_failure(initprobe):
    shaky = ["models.py:vanishing", "--threshold", "forward_drift.error=1e45", "--ignore", "IP2,IP3"]
    lenient = initprobe("check", *shaky, "--seeds", "2", "--max-seeds", "2")
    strict = initprobe("check", *shaky, "--seeds", "2", "--max-seeds", "2", "--strict")
    assert lenient.code in {ExitCode.OK, ExitCode.FINDINGS}
    assert strict.code in {ExitCode.OK, ExitCode.FINDINGS}
    assert strict.code >= lenient.code


def test_a_reader_that_closes_the_pipe_changes_nothing(folder):
    command = f"{sys.executable} -m initprobe check models.py:vanishing | head -c 1 >/dev/null; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True, cwd=folder)
    assert ended.returncode == ExitCode.FINDINGS
    assert "BrokenPipe" not in ended.stderr
