"""An exported program through ``run``, ``check`` and ``compare``."""

from __future__ import annotations

import json
import warnings

import pytest
import torch
from torch import nn

from initprobe.errors import ExitCode


@pytest.fixture
def program(folder):
    torch.manual_seed(0)
    layers = [layer for _ in range(6) for layer in (nn.Linear(16, 16), nn.ReLU())]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, of its own deprecations
        torch.export.save(torch.export.export(nn.Sequential(*layers), (torch.randn(32, 16),)), folder / "net.pt2")
    return "net.pt2"


def test_run(initprobe, program):
    ran = initprobe("run", program, "--allow-code", "-o", "json")
    assert ran.code == ExitCode.OK
    assert ran.err == ""
    (result,) = json.loads(ran.out)["results"]
    assert result["one_draw"]
    assert [site["site"]["key"] for site in result["sites"]] == [str(place) for place in range(12)]
    assert {site["site"]["module_type"] for site in result["sites"]} == {"Linear", "ReLU"}
    assert initprobe("run", program, "--allow-code").out.splitlines()[0] == (
        "net.pt2 · own init · 1.6 k parameters · one draw × batch 32 · float32 · cpu"
    )


def test_the_batch_that_was_asked_for_is_told_where_it_cannot_be(initprobe, program):
    assert (
        "note: batch 32, not 5: the input comes in its own size"
        in initprobe("run", program, "--allow-code", "--batch", "5").out
    )


def test_a_scheme_draws_it(initprobe, program):
    ran = initprobe("check", program, "--allow-code", "--scheme", "normal(std=0.01)", "--seeds", "2")
    assert ran.code == ExitCode.FINDINGS
    assert "vanishing-forward" in ran.out
    healthy = initprobe("check", program, "--allow-code", "--scheme", "he", "--seeds", "2", "--max-seeds", "2")
    assert healthy.code == ExitCode.OK


def test_compare(initprobe, program):
    ran = initprobe("compare", "he", "zeros", "--on", program, "--allow-code", "--seeds", "2", "-o", "json")
    assert ran.code == ExitCode.OK
    assert [result["scheme"] for result in json.loads(ran.out)["results"]] == ["kaiming_normal", "zeros"]
    assert initprobe("compare", program, "models.py:healthy", "--allow-code").code == ExitCode.OK


@pytest.mark.parametrize("command", [["run"], ["check"], ["compare", "he", "zeros", "--on"]])
def test_nothing_is_loaded_without_the_flag(initprobe, program, command):
    ran = initprobe(*command, program)
    assert ran.code == ExitCode.USAGE
    assert ran.out == ""
    assert "--allow-code" in ran.err
