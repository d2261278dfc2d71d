"""The networks that schemes are ranked on: a residual one without normalization, transformers, an LSTM over time.

Each is a factory for ``initprobe compare ... --on benchmarks/networks.py:NAME``; the deep ReLU network is built in.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the name that everybody knows


class ResidualBlock(nn.Module):
    """x + α · conv(relu(conv(relu(x)))), with a scalar α as in Fixup, SkipInit and ReZero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.alpha = nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum of the stream and its branch."""
        branch: torch.Tensor = self.conv2(F.relu(self.conv1(F.relu(x))))
        return x + self.alpha * branch


def resnet(blocks: int = 25, channels: int = 32, size: int = 12) -> nn.Module:
    """A pre-activation residual network without normalization, two convolutions to a block."""
    model = nn.Sequential(
        nn.Conv2d(3, channels, 3, padding=1),
        *(ResidualBlock(channels) for _ in range(blocks)),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, 10),
    )
    model.example_input_array = torch.zeros(1, 3, size, size)
    return model


class TransformerBlock(nn.Module):
    """Attention and a feed-forward branch; each joins the stream before or behind its normalization."""

    def __init__(self, width: int, heads: int, *, pre_norm: bool) -> None:
        super().__init__()
        self.pre_norm = pre_norm
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The stream behind both branches."""
        if self.pre_norm:
            x = x + self._attend(self.norm1(x))
            return x + self._feed(self.norm2(x))
        x = self.norm1(x + self._attend(x))
        normed: torch.Tensor = self.norm2(x + self._feed(x))
        return normed

    def _attend(self, x: torch.Tensor) -> torch.Tensor:
        attended: torch.Tensor = self.attention(x, x, x, need_weights=False)[0]
        return attended

    def _feed(self, x: torch.Tensor) -> torch.Tensor:
        fed: torch.Tensor = self.down(F.gelu(self.up(x)))
        return fed


class Transformer(nn.Module):
    """A language model of tokens, learned positions, blocks and a head."""

    def __init__(self, layers: int, width: int, heads: int, *, pre_norm: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(256, width)
        self.position = nn.Embedding(32, width)
        self.blocks = nn.Sequential(*(TransformerBlock(width, heads, pre_norm=pre_norm) for _ in range(layers)))
        self.norm = nn.LayerNorm(width) if pre_norm else nn.Identity()
        self.head = nn.Linear(width, 256, bias=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Logits of shape (batch, length, 256)."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        logits: torch.Tensor = self.head(self.norm(self.blocks(self.embed(tokens) + self.position(places))))
        return logits


def pre_norm(layers: int = 12, width: int = 96, heads: int = 4) -> nn.Module:
    """A GPT-like transformer: the normalization stands in the branch."""
    return Transformer(layers, width, heads, pre_norm=True)


def post_norm(layers: int = 12, width: int = 96, heads: int = 4) -> nn.Module:
    """A BERT-like transformer: the normalization stands behind the sum."""
    return Transformer(layers, width, heads, pre_norm=False)


class Unrolled(nn.Module):
    """An LSTM cell that is called once a step, so that every step is a call site."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(width, width)
        self.head = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of shape (batch, 10), from the last hidden state."""
        hidden = cell = x.new_zeros(x.shape[0], self.cell.hidden_size)
        for step in range(x.shape[1]):
            hidden, cell = self.cell(x[:, step], (hidden, cell))
        logits: torch.Tensor = self.head(hidden)
        return logits


def lstm(steps: int = 200, width: int = 64) -> nn.Module:
    """An LSTM over 200 steps."""
    model = Unrolled(width)
    model.example_input_array = torch.zeros(1, steps, width)
    return model
