"""Networks whose anatomy is known by heart."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from initprobe.dissect.anatomy import trace_anatomy
from initprobe.records import Anatomy
from initprobe.subject import Subject


def anatomy_of(model, inputs, **options) -> Anatomy:
    """The anatomy alone."""
    return trace_anatomy(Subject(model, inputs), **options).anatomy


def table(anatomy: Anatomy) -> dict[str, tuple]:
    """Every weight but biases and norms: role, fans, unit axis, activation before and behind."""
    return {
        weight.name: (
            weight.role, weight.fan_in, weight.fan_out, weight.unit_axis,
            str(weight.input_activation or "-"), str(weight.output_activation or "-"),
        )
        for weight in anatomy.weights
        if weight.role not in {"bias", "norm"}
    }  # fmt: skip


def streams(anatomy: Anatomy, kind: str) -> list[tuple[str, ...]]:
    """The keys of every stream of a kind."""
    return [stream.sites for stream in anatomy.streams if stream.kind == kind]


def kinds(anatomy: Anatomy) -> dict[str, str]:
    """Key to kind; what another site shows is left out."""
    return {site.key: site.kind for site in anatomy.sites if site.alias_of is None}


class Bare(nn.Module):
    """Weights as bare parameters, activations as functions and methods."""

    def __init__(self) -> None:
        super().__init__()
        self.right = nn.Parameter(torch.randn(4, 6))
        self.turned = nn.Parameter(torch.randn(5, 6))
        self.again = nn.Parameter(torch.randn(7, 5))
        self.shift = nn.Parameter(torch.zeros(3))
        self.mixed = nn.Parameter(torch.randn(7, 3))
        self.left = nn.Parameter(torch.randn(9, 3))

    def forward(self, x):
        x = F.relu(x @ self.right)
        x = torch.tanh(x @ self.turned.t())
        x = torch.matmul(x, self.again.T).relu_()
        x = torch.addmm(self.shift, x, self.mixed)
        return self.left @ F.gelu(x, approximate="tanh").t()


class PostActivation(nn.Module):
    """He et al. 2016a: convolution, norm, relu, twice; the sum in place; relu behind it."""

    def __init__(self, width: int, out: int | None = None) -> None:
        super().__init__()
        out = out or width
        self.c1, self.b1 = nn.Conv2d(width, out, 3, padding=1, bias=False), nn.BatchNorm2d(out)
        self.c2, self.b2 = nn.Conv2d(out, out, 3, padding=1, bias=False), nn.BatchNorm2d(out)
        self.act = nn.ReLU(inplace=True)
        self.short = nn.Conv2d(width, out, 1) if out != width else None

    def forward(self, x):
        y = self.b2(self.c2(self.act(self.b1(self.c1(x)))))
        y += x if self.short is None else self.short(x)
        return self.act(y)


class PreNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x):
        return x + self.down(F.gelu(self.up(self.norm(x))))


class PreActivation(nn.Module):
    """A scaled branch behind an activation, without any norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x):
        return x + 0.5 * self.b(F.relu(self.a(F.relu(x))))


class Swish(nn.Module):
    """Written by hand, as many repositories do."""

    def forward(self, x):
        return x * torch.sigmoid(x)


class OldGelu(nn.Module):
    def forward(self, x):
        return 0.5 * x * (1.0 + torch.tanh(0.7978845608028654 * (x + 0.044715 * torch.pow(x, 3.0))))


class HandNorm(nn.Module):
    """A norm written by hand; its name says what it is."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt() * self.gain


HandNorm.__name__ = "HandRMSNorm"


class Standardized(nn.Conv2d):
    """Weight standardization: the weight goes through a norm of its own before it is used."""

    def forward(self, x):
        flat = F.batch_norm(self.weight.reshape(1, self.out_channels, -1), None, None, training=True)
        return F.conv2d(x, flat.reshape_as(self.weight), self.bias, self.stride, self.padding)


class ClassToken(nn.Module):
    """A vision transformer's start: a class token, positions, one block, a head on the first token."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(6, 8)
        self.token = nn.Parameter(torch.zeros(1, 1, 8))
        self.positions = nn.Parameter(torch.randn(1, 6, 8))
        self.first, self.second = PreNorm(8), PreNorm(8)
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 3)

    def forward(self, x):
        x = torch.cat([self.token.expand(len(x), -1, -1), self.embed(x)], 1) + self.positions
        return self.head(self.norm(self.second(self.first(x)))[:, 0])


class Positions(nn.Module):
    """Positions looked up by a buffer, as BERT does."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(11, 8), nn.Embedding(5, 8)
        self.register_buffer("order", torch.arange(5)[None])
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 11, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, x):
        return self.head(self.norm(self.tokens(x) + self.places(self.order)))
