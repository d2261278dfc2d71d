"""Residual networks as the papers on their initialization draw them, small."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import nn

RELU_GAIN = math.sqrt(2 / (1 - 1 / math.pi))
"""1 / √Var relu(z): what a normalizer-free network multiplies its rectifiers by."""


def scalar(value: float) -> nn.Parameter:
    return nn.Parameter(torch.full((1,), value))


class Branch(nn.Module):
    """x + F(x), F of some linear layers with rectifiers between them; ``end`` stands behind the last one."""

    def __init__(self, width: int, weights: int = 2, end: Callable[[], nn.Module] = nn.Identity) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(weights))
        self.end = end()

    def function(self, x: torch.Tensor) -> torch.Tensor:
        for place, layer in enumerate(self.layers):
            x = layer(torch.relu(x) if place else x)
        return x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.end(self.function(x))


class Scale(nn.Module):
    """A parameter that multiplies: ReZero's alpha, SkipInit's, or LayerScale's with one number per channel."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.full(shape, 0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.alpha * x


class Chain(nn.Module):
    """A stem, residual blocks, a head (or none)."""

    def __init__(self, width: int, blocks: Sequence[nn.Module], classes: int = 0) -> None:
        super().__init__()
        self.stem = nn.Linear(width, width)
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Linear(width, classes) if classes else nn.Identity()

    def features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The stream in front of the first block, and behind each."""
        stream = [torch.relu(self.stem(x))]
        for block in self.blocks:
            stream.append(block(stream[-1]))
        return stream

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x)[-1])


class FixupBlock(nn.Module):
    """Convolutions with Fixup's multiplier and its scalar biases."""

    def __init__(self, width: int, kernels: Sequence[int] = (3, 3)) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(width, width, k, padding=k // 2, bias=False) for k in kernels)
        self.before = nn.ParameterList(scalar(0.3) for _ in kernels)
        self.behind = nn.ParameterList(scalar(0.3) for _ in kernels)
        self.scale = scalar(0.7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        for place, conv in enumerate(self.convs):
            y = conv(y + self.before[place])
            if place < len(self.convs) - 1:
                y = torch.relu(y + self.behind[place])
        return torch.relu(x + (self.scale * y + self.behind[-1]))


class Images(nn.Module):
    """A stem, blocks on images, pooling, a head."""

    def __init__(self, width: int, blocks: Sequence[nn.Module], classes: int = 5) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Linear(width, classes)

    def features(self, x: torch.Tensor) -> list[torch.Tensor]:
        stream = [torch.relu(self.stem(x))]
        for block in self.blocks:
            stream.append(block(stream[-1]))
        return stream

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x)[-1].mean((2, 3)))


class PostActivation(nn.Module):
    """ResNet's basic block, with a projection on its shortcut or none."""

    def __init__(self, width: int, *, project: bool = False, norm: Callable[[int], nn.Module] = nn.BatchNorm2d) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, 1, 1, bias=False), norm(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), norm(width)
        shortcut = nn.Sequential(nn.Conv2d(width, width, 1, bias=False), norm(width))
        self.shortcut = shortcut if project else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + self.shortcut(x))


class ZeroedTransformer(nn.Module):
    """ReZero's layer: attention and feed-forward share one gate, and there is no normalization."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.alpha = scalar(1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.alpha * self.attention(x, x, x, need_weights=False)[0]
        return x + self.alpha * self.down(F.gelu(self.up(x)))


class Standardized(nn.Conv2d):
    """Scaled weight standardization in the layer, as a normalizer-free network has it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        variance, mean = torch.var_mean(self.weight, dim=(1, 2, 3), keepdim=True, correction=0)
        weight = (self.weight - mean) / (variance * self.weight[0].numel()).sqrt()
        if self.padding_mode == "circular":
            x = F.pad(x, (1, 1, 1, 1), mode="circular") if self.kernel_size == (3, 3) else x
        return F.conv2d(x, weight, self.bias)


class Standardization(nn.Module):
    """The same as a parametrization."""

    def forward(self, stored: torch.Tensor) -> torch.Tensor:
        variance, mean = torch.var_mean(stored, dim=(1, 2, 3), keepdim=True, correction=0)
        return (stored - mean) / (variance * stored[0].numel()).sqrt()


class NormalizerFree(nn.Module):
    """x + alpha · gain · F(act(x / beta)), beta² the variance that the blocks before have made."""

    def __init__(self, width: int, index: int, alpha: float, conv: Callable[..., nn.Module], gamma: float) -> None:
        super().__init__()
        self.beta, self.alpha, self.gamma = math.sqrt(1 + index * alpha**2), alpha, gamma
        self.first = conv(width, width, 3, padding=1, padding_mode="circular")
        self.last = conv(width, width, 3, padding=1, padding_mode="circular")
        self.skip_gain = nn.Parameter(torch.zeros(()))

    def act(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(x)
        return x if self.gamma == 1.0 else x * self.gamma

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.last(self.act(self.first(self.act(x / self.beta))))
        return x + self.alpha * (self.skip_gain * y)
