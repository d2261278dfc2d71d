"""A checkpoint through ``run``, ``check`` and ``compare``."""

from __future__ import annotations

import json
import warnings

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import initprobe as ip
from initprobe.errors import ExitCode, UsageError


@pytest.fixture
def checkpoints(folder):
    """Of ``tiny.yaml``: one that vanishes, in two formats, and one of another network."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for place in range(8):
        state[f"block.{place}.linear.weight"] = 0.01 * torch.randn(16, 16, generator=generator)
        state[f"block.{place}.linear.bias"] = torch.zeros(16)
    save_file(state, folder / "tiny.safetensors")
    torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}}, folder / "tiny.pth")
    save_file({"other": torch.ones(2)}, folder / "other.safetensors")
    return folder


@pytest.mark.parametrize("file", ["tiny.safetensors", "tiny.pth"])
def test_run_says_whose_weights_they_are(initprobe, checkpoints, file):
    ran = initprobe("run", "tiny.yaml", "--weights", file)
    assert ran.code == ExitCode.OK
    assert ran.out.splitlines()[0] == (
        f"tiny · weights of {file} · 2.2 k parameters · one draw × batch 16 · float32 · cpu"
    )
    assert f"note: the weights are those of '{file}': the init of the spec is left out" in ran.out
    assert f"next: initprobe check tiny.yaml --weights {file}" in ran.out
    (result,) = json.loads(initprobe("run", "tiny.yaml", "--weights", file, "-o", "json").out)["results"]
    assert result["one_draw"]
    assert result["request"]["target"]["weights"] == file
    # Eight matrices of std 0.01 on 16 units, and a relu before all but the first.
    assert result["sites"][-2]["forward"]["rms"]["mean"] < 1e-10


def test_check_judges_them(initprobe, checkpoints):
    assert initprobe("check", "tiny.yaml").code == ExitCode.OK
    ran = initprobe("check", "tiny.yaml", "--weights", "tiny.safetensors")
    assert ran.code == ExitCode.FINDINGS
    assert "vanishing-forward" in ran.out
    assert "one draw" in ran.out


def test_a_scheme_draws_over_them(initprobe, checkpoints):
    ran = initprobe("run", "tiny.yaml", "--weights", "tiny.safetensors", "--scheme", "he")
    assert "kaiming_normal" in ran.out.splitlines()[0]
    assert "one draw" not in ran.out.splitlines()[0]
    assert "note: drawn over the weights of 'tiny.safetensors': what the scheme leaves alone is the file's" in ran.out
    assert "verdict: pass" in ran.out


def test_compare_on_a_network_and_of_networks(initprobe, checkpoints):
    on = ["--on", "tiny.yaml", "--weights", "tiny.safetensors", "--seeds", "2", "-o", "json"]
    ran = initprobe("compare", "he", "zeros", *on)
    assert ran.code == ExitCode.OK
    assert [result["scheme"] for result in json.loads(ran.out)["results"]] == ["kaiming_normal", "zeros"]
    ran = initprobe("compare", "tiny.yaml", "./tiny.yaml", "--weights", "tiny.pth")
    assert ran.code == ExitCode.OK
    assert "weights of tiny.pth" in ran.out


def test_the_built_in_network_has_no_checkpoint(initprobe, checkpoints):
    ran = initprobe("compare", "he", "xavier", "--weights", "tiny.pth")
    assert ran.code == ExitCode.USAGE
    assert "--on TARGET" in ran.err


@pytest.mark.parametrize(
    "command", [["run", "tiny.yaml"], ["check", "tiny.yaml"], ["compare", "he", "zeros", "--on", "tiny.yaml"]]
)
def test_a_checkpoint_that_does_not_fit(initprobe, checkpoints, command):
    ran = initprobe(*command, "--weights", "other.safetensors")
    assert ran.code == ExitCode.USAGE
    assert "'other.safetensors' does not fit tiny" in ran.err
    assert "missing:    'block.0.linear.weight'" in ran.err
    assert "Traceback" not in ran.err


def test_one_target_that_it_does_not_fit_hides_no_other(initprobe, checkpoints):
    ran = initprobe("check", "models.py:healthy", "tiny.yaml", "--weights", "tiny.safetensors")
    assert ran.code == ExitCode.USAGE
    assert "does not fit models.py:healthy" in ran.out
    assert "vanishing-forward" in ran.out


def test_a_checkpoint_in_an_exported_program(initprobe, checkpoints):
    layers = [nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, of its own deprecations
        torch.export.save(torch.export.export(nn.Sequential(*layers), (torch.randn(4, 8),)), checkpoints / "net.pt2")
    torch.save(
        {name: torch.zeros_like(value) for name, value in nn.Sequential(*layers).state_dict().items()}, "zeros.pt"
    )
    ran = initprobe("run", "net.pt2", "--allow-code", "--weights", "zeros.pt", "-o", "json")
    assert ran.code == ExitCode.OK
    assert json.loads(ran.out)["results"][0]["sites"][0]["forward"]["rms"]["mean"] == 0


def test_the_python_face(checkpoints):
    with pytest.raises(UsageError, match=r"does not fit .*lambda"):
        ip.probe(lambda: nn.Linear(3, 3), inputs=(3,), weights="other.safetensors")
    result = ip.probe(checkpoints / "tiny.yaml", weights=checkpoints / "tiny.pth")
    assert result.entry.one_draw
    assert result.verdict == "fail"


def test_only_some_parameters_are_drawn_over_a_checkpoint(initprobe, checkpoints):
    command = ["run", "tiny.yaml", "--weights", "tiny.safetensors", "--only", "block.7.*"]
    ran = initprobe(*command, "--seeds", "2", "-o", "json")
    assert ran.code == ExitCode.OK
    (result,) = json.loads(ran.out)["results"]
    assert {one["weight"] for one in result["outcome"]["drawn"]} == {"block.7.linear.weight", "block.7.linear.bias"}
    stds = {one["weight"]["name"]: one["value"]["std"]["mean"] for one in result["weights"]}
    assert stds["block.6.linear.weight"] == pytest.approx(0.01, rel=0.2)
    assert stds["block.7.linear.weight"] > 0.1
    text = initprobe(*command, "--seeds", "2").out
    assert "on block.7.*" in text.splitlines()[0]
    assert "next: initprobe check tiny.yaml --weights tiny.safetensors --only 'block.7.*'" in text


def test_only_needs_a_scheme_and_a_match(initprobe, folder):
    (folder / "plain.py").write_text("from torch import nn\n\n\ndef build():\n    return nn.Linear(4, 4)\n")
    ran = initprobe("run", "plain.py:build", "--input", "4", "--only", "weight")
    assert ran.code == ExitCode.USAGE
    assert "there is no scheme" in ran.err
    ran = initprobe("run", "plain.py:build", "--input", "4", "--scheme", "he", "--only", "wait")
    assert ran.code == ExitCode.USAGE
    assert "'wait' matches no parameter" in ran.err
