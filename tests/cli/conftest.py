"""Runs the command line in this process, as a shell would see it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from initprobe.__main__ import run

SPEC = """\
version: 1
name: tiny
model:
  input: {shape: [16]}
  layers:
    - {type: repeat, times: 8, name: block, layers: [{type: linear, out: 16}, relu]}
init: {default: kaiming_normal}
probe: {seeds: 2, max_seeds: 2, batch: 16}
"""

MODELS = """\
import sys
import torch
from torch import nn


def healthy():
    return nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4)), torch.randn(16, 8)


def vanishing():
    layers = []
    for _ in range(30):
        layer = nn.Linear(32, 32)
        nn.init.normal_(layer.weight, std=0.01)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers), torch.randn(16, 32)


class Fails(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x):
        raise ValueError("no such thing")


def fails():
    return Fails(), torch.randn(16, 8)


class Interrupted(Fails):
    def forward(self, x):
        raise KeyboardInterrupt


def interrupted():
    return Interrupted(), torch.randn(16, 8)


class Talks(Fails):
    def forward(self, x):
        print("hello from forward")
        return self.layer(x)


def talks():
    print("hello from the factory")
    return Talks(), torch.randn(16, 8)


class Empty(nn.Module):
    def forward(self, x):
        return x > 0


def empty():
    return Empty(), torch.randn(16, 8)


def needs_width(width):
    return nn.Linear(width, width)


instance = nn.Linear(8, 8)
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command line left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a spec and a file of models."""
    (tmp_path / "tiny.yaml").write_text(SPEC)
    (tmp_path / "models.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


@pytest.fixture
def initprobe(folder: Path, capfd):
    """``initprobe("check", "tiny.yaml")`` in that directory."""

    def command(*arguments: str) -> Ran:
        capfd.readouterr()
        code = run(list(arguments))
        captured = capfd.readouterr()
        return Ran(int(code), captured.out, captured.err)

    return command
