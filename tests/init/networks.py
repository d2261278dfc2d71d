"""Small networks that hold every kind of layer a scheme may meet, for the contract that all schemes keep."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils import parametrizations

from initprobe.parametrizations.reparametrize import reparametrize


@dataclass(frozen=True)
class Case:
    """A network and its input: shape of one sample, or text as ``--input`` takes it."""

    build: Callable[[], nn.Module]
    inputs: tuple[int, ...] | str


def chain(activation: Callable[[], nn.Module], depth: int = 3, width: int = 48) -> nn.Module:
    """Linear layers with an activation between them."""
    layers: list[nn.Module] = [nn.Linear(width, width), activation()]
    for _ in range(depth - 1):
        layers += [nn.Linear(width, width), activation()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


class Sine(nn.Module):
    """SIREN's activation."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(30.0 * x)


def convolutions() -> nn.Module:
    """Strided, grouped, depthwise, dilated and transposed ones, with a sub-pixel layer at the end."""
    return nn.Sequential(
        OrderedDict(
            stem=nn.Conv2d(3, 16, 3, stride=2, padding=1),
            act=nn.ReLU(),
            grouped=nn.Conv2d(16, 32, 3, padding=1, groups=4),
            depthwise=nn.Conv2d(32, 32, 3, padding=2, dilation=2, groups=32, bias=False),
            norm=nn.BatchNorm2d(32),
            relu=nn.ReLU(),
            up=nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1),
            leaky=nn.LeakyReLU(0.2),
            square=nn.Conv2d(16, 16, 3, padding=1, padding_mode="circular"),
            pixels=nn.Conv2d(16, 12, 3, padding=1),
            shuffle=nn.PixelShuffle(2),
        )
    )


def sequence() -> nn.Module:
    """Convolutions over one axis, and over three."""
    return nn.Sequential(
        nn.Conv1d(4, 24, 5, padding=2), nn.Tanh(), nn.Unflatten(1, (6, 2, 2)), nn.Conv3d(6, 32, (1, 1, 3)), nn.GELU()
    )


class Recurrent(nn.Module):
    """An embedding, recurrent layers of all kinds, and a head that is tied to the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 24, padding_idx=0)
        self.lstm = nn.LSTM(24, 32, num_layers=2, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(64, 24, batch_first=True)
        self.rnn = nn.RNN(24, 24, nonlinearity="relu", batch_first=True)
        self.head = nn.Linear(24, 50)
        self.head.weight = self.embed.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        signal = self.embed(tokens)
        for layer in (self.lstm, self.gru, self.rnn):
            signal, _ = layer(signal)
        return self.head(signal)


class Block(nn.Module):
    """A residual block: a basic one of convolutions, with a norm at the end of the branch or a gate."""

    def __init__(self, width: int, end: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.act = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.end = end()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.end(self.conv2(self.act(self.conv1(x))))


class Gate(nn.Module):
    """A scalar that multiplies a branch."""

    def __init__(self) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.alpha * x


def residual(end: Callable[[], nn.Module]) -> nn.Module:
    """A stem, three residual blocks, a head."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), *(Block(16, end) for _ in range(3)), nn.Flatten(), nn.Linear(16 * 64, 10)
    )


class TransformerBlock(nn.Module):
    """Attention and a feed-forward branch, with the norm before, behind or nowhere."""

    def __init__(self, norm: str) -> None:
        super().__init__()
        self.norm = norm
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
        self.up, self.down = nn.Linear(32, 64), nn.Linear(64, 32)
        if norm != "none":
            self.norm1, self.norm2 = nn.LayerNorm(32), nn.LayerNorm(32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.norm == "pre":
            x = x + self._attend(self.norm1(x))
            return x + self._feed(self.norm2(x))
        if self.norm == "post":
            x = self.norm1(x + self._attend(x))
            return self.norm2(x + self._feed(x))
        x = x + self._attend(x)
        return x + self._feed(x)

    def _attend(self, x: torch.Tensor) -> torch.Tensor:
        return self.attention(x, x, x, need_weights=False)[0]

    def _feed(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(nn.functional.gelu(self.up(x)))


class Transformer(nn.Module):
    """Tokens, positions, two blocks, a head of its own."""

    def __init__(self, norm: str) -> None:
        super().__init__()
        self.embed = nn.Embedding(40, 32)
        self.position = nn.Parameter(torch.randn(1, 6, 32) * 0.1)
        self.blocks = nn.Sequential(*(TransformerBlock(norm) for _ in range(2)))
        self.head = nn.Linear(32, 40, bias=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.embed(tokens) + self.position))


class SeparateAttention(nn.Module):
    """Query, key and value of different widths, so that torch keeps their projections apart."""

    def __init__(self) -> None:
        super().__init__()
        self.keys = nn.Linear(32, 16)
        self.attention = nn.MultiheadAttention(32, 4, kdim=16, vdim=16, add_bias_kv=True, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        memory = torch.tanh(self.keys(x))
        return self.attention(x, memory, memory, need_weights=False)[0]


def parametrized() -> nn.Module:
    """Weights that are computed from others."""
    return nn.Sequential(
        parametrizations.weight_norm(nn.Linear(24, 48)),
        nn.ReLU(),
        parametrizations.spectral_norm(nn.Linear(48, 24)),
        nn.ReLU(),
        parametrizations.orthogonal(nn.Linear(24, 24)),
    )


def reparametrized(name: str, **options: object) -> Callable[[], nn.Module]:
    """Layers that compute their weights as ``reparametrize`` lets them; the first and the last one do not."""

    def build() -> nn.Module:
        model = nn.Sequential(
            nn.Conv2d(3, 16, 3),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, groups=2),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 4, stride=2, groups=2),
            nn.Flatten(),
            nn.Linear(16 * 100, 24),
            nn.Tanh(),
            nn.Linear(24, 10),
        )
        reparametrize(model, name, only=("2", "4", "6"), **options)
        return model

    return build


class Projected(nn.Module):
    """An LSTM whose hidden state is projected."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(16, 32, proj_size=8, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lstm(x)[0]


def frozen() -> nn.Module:
    """Some parameters take no gradient."""
    model = chain(nn.ReLU)
    model[0].requires_grad_(requires_grad=False)
    return model


CASES: dict[str, Case] = {
    "relu": Case(lambda: chain(nn.ReLU), (48,)),
    "tanh": Case(lambda: chain(nn.Tanh), (48,)),
    "selu": Case(lambda: chain(nn.SELU), (48,)),
    "sine": Case(lambda: chain(Sine), (48,)),
    "convolutions": Case(convolutions, (3, 16, 16)),
    "sequence": Case(sequence, (4, 12)),
    "recurrent": Case(Recurrent, "int64[7]<50"),
    "projected": Case(Projected, (5, 16)),
    "residual": Case(lambda: residual(nn.Identity), (3, 8, 8)),
    "gated": Case(lambda: residual(Gate), (3, 8, 8)),
    "batchnorm": Case(lambda: residual(lambda: nn.BatchNorm2d(16)), (3, 8, 8)),
    "prenorm": Case(lambda: Transformer("pre"), "int64[6]<40"),
    "postnorm": Case(lambda: Transformer("post"), "int64[6]<40"),
    "normless": Case(lambda: Transformer("none"), "int64[6]<40"),
    "separate": Case(SeparateAttention, (6, 32)),
    "parametrized": Case(parametrized, (24,)),
    "frozen": Case(frozen, (48,)),
    "equalized": Case(reparametrized("equalized", lr_mul=0.01), (3, 8, 8)),
    "standardized": Case(reparametrized("weight_standardization", learned=True), (3, 8, 8)),
    "binary": Case(reparametrized("binary"), (3, 8, 8)),
}
