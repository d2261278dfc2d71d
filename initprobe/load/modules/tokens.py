"""What makes tokens of an image, tells them where they stand, and makes one vector of them again."""

from __future__ import annotations

import torch
from torch import nn


def waves(length: int, features: int, base: float) -> torch.Tensor:
    """Sines in the even and cosines in the odd features, the slower the further right (Vaswani et al. 2017, 3.5)."""
    angles = torch.outer(torch.arange(length).float(), base ** (-torch.arange(0, features, 2).float() / features))
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :features]


class LearnedPositions(nn.Module):
    """A learned vector per position, added to the tokens."""

    def __init__(self, length: int, features: int) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.empty(length, features))
        nn.init.normal_(self.position, std=0.02)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum."""
        return x + self.position[: x.shape[1]]


class SinusoidalPositions(nn.Module):
    """Sines and cosines of the position, added to the tokens."""

    waves: torch.Tensor

    def __init__(self, length: int, features: int, base: float) -> None:
        super().__init__()
        self.register_buffer("waves", waves(length, features, base), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum."""
        return x + self.waves


class ClassToken(nn.Module):
    """A learned token in front of the others."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.class_token = nn.Parameter(torch.zeros(1, 1, features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One token more."""
        return torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], dim=1)


class PatchEmbedding(nn.Module):
    """A convolution without overlap makes a token of every patch."""

    def __init__(self, channels: int, features: int, patch: tuple[int, int], *, bias: bool) -> None:
        super().__init__()
        self.projection = nn.Conv2d(channels, features, patch, patch, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, patches row by row, features)."""
        tokens: torch.Tensor = self.projection(x).flatten(2).transpose(1, 2)
        return tokens


class TokenPool(nn.Module):
    """One vector for all tokens: the first, the last, or their mean."""

    def __init__(self, take: str) -> None:
        super().__init__()
        self.take = take

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, features)."""
        return x.mean(dim=1) if self.take == "mean" else x[:, 0 if self.take == "first" else -1]
