"""The row of the selection guide that a network belongs to."""

import pytest
import torch
from torch import nn

from initprobe.api import probe
from initprobe.search.architecture import activations_of, architecture_of


class Plain(nn.Module):
    def __init__(self, *layers, residual=False):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.residual = residual

    def forward(self, x):
        for layer in self.layers:
            y = layer(x)
            x = x + y if self.residual else y[0] if isinstance(y, tuple) else y
        return x


class Attention(nn.Module):
    def __init__(self, *, post=False, norm=True):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8) if norm else nn.Identity()
        self.post = post

    def forward(self, x):
        y = x if self.post else self.norm(x)
        x = x + self.attention(y, y, y)[0]
        return self.norm(x) if self.post else x


class Sine(nn.Module):
    def forward(self, x):
        return torch.sin(x)


SEQUENCE = (5, 8)


def conv():
    return nn.Conv2d(4, 4, 3, padding=1)


@pytest.mark.parametrize(
    ("build", "shape", "expected"),
    [
        (lambda: Plain(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)), (8,), "plain"),
        (lambda: Plain(nn.Linear(8, 8), Sine(), nn.Linear(8, 8)), (8,), "coordinate"),
        (lambda: Plain(conv(), nn.ReLU(), conv()), (4, 6, 6), "convolutional"),
        (lambda: Plain(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 8)), (8,), "normalized"),
        (lambda: Plain(nn.Linear(8, 8), nn.Linear(8, 8), residual=True), (8,), "residual"),
        (lambda: Plain(nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 8)), residual=True), (8,), "residual_normalized"),
        (lambda: Plain(nn.RNN(8, 8, batch_first=True)), SEQUENCE, "recurrent"),
        (lambda: Plain(nn.GRU(8, 8, batch_first=True)), SEQUENCE, "gated_recurrent"),
        (lambda: Plain(Attention(), Attention(), Attention()), SEQUENCE, "transformer_pre_norm"),
        (lambda: Plain(Attention(post=True), Attention(post=True), Attention(post=True)), SEQUENCE, "transformer_post_norm"),
        (lambda: Plain(Attention(norm=False), Attention(norm=False)), SEQUENCE, "transformer_unnormalized"),
    ],
)  # fmt: skip
def test_architecture(build, shape, expected):
    entry = probe(build, inputs=shape, seeds=1, max_seeds=1, batch=4).entry
    assert architecture_of(entry) == expected


def test_the_most_common_activation_comes_first():
    network = Plain(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    entry = probe(network, inputs=(8,), batch=4).entry
    assert [use.name for use in activations_of(entry)] == ["relu", "tanh"]
