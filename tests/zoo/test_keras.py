"""Keras models from the command line: measured, judged, compared and saved like any other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from initprobe.__main__ import run

pytestmark = pytest.mark.untraced

MODELS = Path(__file__).parent / "keras_models.py"
FEW = ("--seeds", "2", "--max-seeds", "2", "--batch", "16")


@pytest.fixture
def initprobe(tmp_path, monkeypatch, capfd):
    shutil.copy(MODELS, tmp_path / "nets.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")

    def command(*arguments):
        capfd.readouterr()
        code = run([*arguments])
        captured = capfd.readouterr()
        return int(code), captured.out, captured.err

    return command


@pytest.mark.parametrize("name", ["perceptron", "pyramid", "tagger", "attention", "named_inputs", "nested", "written"])
def test_run_reports_every_layer(initprobe, name):
    code, out, err = initprobe("run", f"nets.py:{name}", *FEW, "--save", "result.json")
    assert (code, err) == (0, "")
    assert "verdict:" in out
    (entry,) = json.loads(Path("result.json").read_text())["results"]
    assert all(site["backward"] for site in entry["sites"])
    assert not [site for site in entry["sites"] if site["forward"]["nonfinite"]["mean"]]


def test_check_finds_what_vanishes_and_the_line_that_built_it(initprobe):
    code, out, _ = initprobe("check", "nets.py:vanishing", *FEW)
    assert code == 1
    assert "error[vanishing-forward]" in out
    assert "dense/matmul … dense_23/matmul (24 layers" in out
    assert "layers.Dense(width" in out


def test_check_passes_what_he_draws(initprobe):
    code, out, _ = initprobe("check", "nets.py:vanishing", "--scheme", "he", "--seeds", "5", "--batch", "64")
    assert (code, out.splitlines()[0]) == (0, "no findings in 1 target · seeds 0–4")


def test_compare_draws_both_schemes(initprobe):
    code, out, _ = initprobe("compare", "he", "xavier", "--on", "nets.py:vanishing", *FEW)
    assert code == 0
    assert "kaiming_normal" in out
    assert "xavier_normal" in out


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")  # Keras and numpy 2
def test_an_instance_is_measured(initprobe):
    code, out, _ = initprobe("run", "nets.py:instance", "--batch", "16")
    assert code == 0
    assert "1 draw" in out or "one draw" in out
