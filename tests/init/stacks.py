"""Stacks of layers that can be made deep and wide, for the schemes that depend on depth and width."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

VOCABULARY = 60


class Layer(nn.Module):
    """A transformer layer: a normalization behind the sum, before the branch, inside of it too, or nowhere.

    The skip path is multiplied by ``alpha``, or by parameters.
    """

    def __init__(self, width: int, norm: str, alpha: float, *, weighed: bool) -> None:
        super().__init__()
        self.norm, self.alpha = norm, alpha
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        if norm != "none":
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        if norm == "sub":
            self.inner1, self.inner2 = nn.LayerNorm(width), nn.LayerNorm(2 * width)
        if weighed:
            self.skip1, self.skip2 = nn.Parameter(torch.ones(width)), nn.Parameter(torch.ones(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.norm in {"pre", "sub"}:
            x = x + self.attend(self.norm1(x))
            return x + self.feed(self.norm2(x))
        if self.norm == "none":
            x = x + self.attend(x)
            return x + self.feed(x)
        x = self.norm1(self.skip(x, 1) + self.attend(x))
        return self.norm2(self.skip(x, 2) + self.feed(x))

    def skip(self, x: torch.Tensor, place: int) -> torch.Tensor:
        if hasattr(self, "skip1"):
            return x * getattr(self, f"skip{place}")
        return x if self.alpha == 1.0 else x * self.alpha

    def attend(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = (
            made(x).unflatten(-1, (2, -1)).transpose(1, 2) for made in (self.query, self.key, self.value)
        )
        mixed = nn.functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        return self.out(self.inner1(mixed) if self.norm == "sub" else mixed)

    def feed(self, x: torch.Tensor) -> torch.Tensor:
        inner = torch.relu(self.up(x))
        return self.down(self.inner2(inner) if self.norm == "sub" else inner)


class Encoder(nn.Module):
    """Tokens, layers, a head."""

    def __init__(
        self, layers: int, width: int = 32, norm: str = "post", alpha: float = 1.0, *, weighed: bool = False
    ) -> None:
        super().__init__()
        self.width, self.norm = width, norm
        self.embed = nn.Embedding(VOCABULARY, width)
        self.layers = nn.Sequential(*(Layer(width, norm, alpha, weighed=weighed) for _ in range(layers)))
        self.last = nn.LayerNorm(width) if norm in {"pre", "sub"} else nn.Identity()
        self.head = nn.Linear(width, VOCABULARY)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        signal = self.embed(tokens) * (math.sqrt(self.width) if self.norm == "none" else 1.0)
        return self.head(self.last(self.layers(signal)))


class EncoderDecoder(nn.Module):
    """torch's own transformer between an embedding and a head."""

    def __init__(self, encoder: int, decoder: int, width: int = 32, *, norm_first: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, width)
        layers = {
            kind: make(width, 2, 2 * width, batch_first=True, dropout=0.0, norm_first=norm_first)
            for kind, make in (("encoder", nn.TransformerEncoderLayer), ("decoder", nn.TransformerDecoderLayer))
        }
        self.encoder = nn.TransformerEncoder(layers["encoder"], encoder, enable_nested_tensor=False)
        self.decoder = nn.TransformerDecoder(layers["decoder"], decoder)
        self.head = nn.Linear(width, VOCABULARY)

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.head(self.decoder(self.embed(target), self.encoder(self.embed(source))))


class Residual(nn.Module):
    """One layer per branch: x + relu(W x), between an input and an output layer."""

    def __init__(self, blocks: int, width: int, inputs: int = 16, outputs: int = 10) -> None:
        super().__init__()
        self.stem, self.head = nn.Linear(inputs, width), nn.Linear(width, outputs)
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(torch.relu(x))
        return self.head(x)


def plain(width: int, hidden: int = 2, inputs: int = 16, outputs: int = 10) -> nn.Module:
    """A network of relu layers."""
    layers: list[nn.Module] = [nn.Linear(inputs, width), nn.ReLU()]
    for _ in range(hidden):
        layers += [nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, outputs))


def tokens(batch: int = 4, length: int = 8, seed: int = 0) -> torch.Tensor:
    return torch.randint(VOCABULARY, (batch, length), generator=torch.Generator().manual_seed(seed))


def slope(sizes: list[int], values: list[float]) -> float:
    """Of a straight line through the logarithms."""
    x, y = (torch.tensor([math.log(one) for one in numbers], dtype=torch.float64) for numbers in (sizes, values))
    return float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())


def geometric_mean(measure: Callable[[int], float], seeds: int) -> float:
    return math.exp(sum(math.log(measure(seed)) for seed in range(seeds)) / seeds)
