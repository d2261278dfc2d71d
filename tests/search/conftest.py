"""Networks that a check finds something in, and what it found."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from initprobe.load.sources.python import python_target
from initprobe.pipeline import probe_target
from initprobe.records import CheckRequest, InitRequest, ProbeRequest, Request, TargetRequest
from initprobe.search.suggest import suggest

REQUEST = Request(
    TargetRequest("model"),
    probe=ProbeRequest(seeds=(0, 1, 2), max_seeds=3, batch=32),
    check=CheckRequest(complete=True),
)


def stack(depth, std, *, activation=nn.ReLU, width=32, odd=None, bias=None):
    """Linear layers of one width, drawn with one standard deviation; one of them oddly, if at all."""

    def build():
        layers = []
        for place in range(depth):
            layer = nn.Linear(width, width)
            nn.init.normal_(layer.weight, std=1e-4 if place == odd else std)
            nn.init.constant_(layer.bias, bias or 0.0)
            layers += [layer, activation()]
        return nn.Sequential(*layers, nn.Linear(width, 4, bias=False)), torch.randn(32, width)

    return build


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first, self.last = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x):
        return x + self.last(torch.relu(self.first(x)))


class Residual(nn.Module):
    """Branches without normalization, three times too wide."""

    def __init__(self, width=24, depth=8):
        super().__init__()
        self.stem = nn.Linear(8, width)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(depth)))
        self.head = nn.Linear(width, 4)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=3.0 / layer.in_features**0.5)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)))


def residual():
    return Residual(), torch.randn(32, 8)


def hidden():
    """One layer is far too small, and the normalization behind it hides that from the signal."""
    layers = []
    for place in range(8):
        layer = nn.Linear(24, 24, bias=False)
        nn.init.normal_(layer.weight, std=1e-3 if place == 5 else 24**-0.5)
        layers += [layer, nn.LayerNorm(24, eps=1e-12), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(24, 4, bias=False)), torch.randn(32, 24)


FACTORIES = {
    "vanishing": stack(8, 0.01),
    "exploding": stack(10, 1.0),
    "saturating": stack(16, 2.5, activation=nn.Tanh),
    "odd": stack(12, (2.0 / 32.0) ** 0.5, odd=5),
    "dead": stack(8, (2.0 / 32.0) ** 0.5, bias=-4.0),
    "residual": residual,
    "hidden": hidden,
    "healthy": stack(8, (2.0 / 32.0) ** 0.5),
}


@pytest.fixture(scope="session")
def factories():
    """What builds them, by name."""
    return FACTORIES


@pytest.fixture(scope="session")
def probed():
    """``probed("vanishing")``: a target, and what its check found; each is probed once."""
    known = {}

    def look(name, init=None):
        if (name, init) not in known:
            target = python_target(FACTORIES[name], name=name, request=TargetRequest(name))
            request = replace(REQUEST, target=TargetRequest(name), init=init or InitRequest())
            known[name, init] = (target, probe_target(target, request))
        return known[name, init]

    return look


@pytest.fixture(scope="session")
def suggested(probed):
    """``suggested("vanishing")``: what was suggested, and what was heard meanwhile; each is searched once."""
    found = {}

    def look(name):
        if name not in found:
            heard = []
            found[name] = (suggest(*probed(name), heard.append), heard)
        return found[name]

    return look
