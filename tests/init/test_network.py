"""What schemes look up in a network, and how often."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import ClassVar

import pytest
import torch
from torch import nn

from initprobe.dissect.anatomy import trace_anatomy
from initprobe.errors import UsageError
from initprobe.init.calibration import Data
from initprobe.init.choose import parse_scheme
from initprobe.init.initialize import initialize_model
from initprobe.init.network import Network
from initprobe.init.schemes.base import SCHEMES
from initprobe.load.given import open_given
from initprobe.records import Anatomy, InitRequest, ProbeRequest
from initprobe.subject import Subject
from tests.init.stacks import Encoder, EncoderDecoder, tokens

OPTIONS = {
    "metainit": "metainit(steps=1)",
    "gradinit": "gradinit(steps=1)",
    "lsuv": "lsuv(max_passes=0)",
    "krahenbuhl": "krahenbuhl(equalize=False)",
}
"""Options that make the number of passes the same for every network."""

WIDTH = 8


class Block(nn.Module):
    """A branch with a gate, behind a normalization or before one."""

    def __init__(self, *, post: bool) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.norm, self.gate, self.post = nn.LayerNorm(WIDTH), nn.Parameter(torch.ones(())), post

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.post:
            return x + self.norm(self.second(torch.relu(self.first(x))))
        return x + self.gate * self.second(torch.relu(self.first(self.norm(x))))


def stack(blocks: int, *, post: bool) -> nn.Module:
    layers = (Block(post=post) for _ in range(blocks))
    return nn.Sequential(nn.Linear(WIDTH, WIDTH), *layers, nn.Linear(WIDTH, WIDTH))


def chain(depth: int) -> nn.Module:
    return nn.Sequential(*(part for _ in range(depth) for part in (nn.Linear(WIDTH, WIDTH), nn.Tanh())))


def images(depth: int) -> nn.Module:
    layers = (nn.Conv2d(4, 4, 3, padding=1) for _ in range(depth))
    return nn.Sequential(*layers, nn.PixelShuffle(2))


CASES = {
    "chain": (chain, (WIDTH,)),
    "gated": (lambda blocks: stack(blocks, post=False), (WIDTH,)),
    "ended": (lambda blocks: stack(blocks, post=True), (WIDTH,)),
    "images": (images, (4, 6, 6)),
    "pre-norm": (lambda layers: Encoder(layers, WIDTH, norm="pre"), tokens()),
    "weighed": (lambda layers: Encoder(layers, WIDTH, weighed=True), tokens()),
    "two towers": (lambda layers: EncoderDecoder(layers, layers, WIDTH), (tokens(), tokens(seed=1))),
}


class Counted(tuple):  # noqa: SLOT001 - it counts
    """Records that count how often somebody looks through all of them."""

    looks: ClassVar[Counter[str]] = Counter()

    def __iter__(self) -> Iterator[object]:
        Counted.looks["all"] += 1
        return super().__iter__()


def counting(anatomy: Anatomy) -> Anatomy:
    return replace(
        anatomy,
        weights=Counted(anatomy.weights),
        branches=Counted(anatomy.branches),
        sites=Counted(anatomy.sites),
    )


@cache
def traced(case: str, depth: int) -> tuple[Subject, Anatomy]:
    """A network that every scheme draws anew."""
    build, inputs = CASES[case]
    target, _ = open_given(build(depth), inputs)
    subject = target.build(0, ProbeRequest())
    return subject, counting(trace_anatomy(subject).anatomy)


def looks(name: str, case: str, depth: int) -> int:
    """How often a scheme looks through all weights, all branches or all sites of a network."""
    subject, anatomy = traced(case, depth)
    source = {key: tensor[..., :-1] for key, tensor in subject.model.named_parameters() if tensor.dim()}
    Counted.looks.clear()
    request = InitRequest(parse_scheme(OPTIONS.get(name, name)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        initialize_model(subject.model, anatomy, request, 0, data=Data(subject, 4), source=source)
    return Counted.looks["all"]


@pytest.mark.untraced
@pytest.mark.parametrize("name", list(SCHEMES))
def test_a_scheme_does_not_look_through_a_network_for_each_of_its_weights(name):
    for case in CASES:
        try:
            shallow, deep = (looks(name, case, depth) for depth in (2, 6))
        except UsageError:
            continue
        assert deep <= shallow + 2


def test_what_was_found_once_is_not_looked_up_again():
    asked = []

    def count(network: Network, step: int, *, start: int = 0) -> int:
        asked.append(step)
        return start + step * len(network.anatomy.weights)

    network = Network(nn.Module(), Anatomy((), (), ()))
    assert [network.once(count, 1), network.once(count, 1), network.once(count, 2, start=5)] == [0, 0, 5]
    assert asked == [1, 2]
    assert Network(nn.Module(), Anatomy((), (), ())).once(count, 1) == 0
    assert asked == [1, 2, 1]
