"""The blocks of residual networks for images: two convolutions, or three that narrow in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import nn
from torch.nn.functional import pad

from initprobe.load.modules.skip import Ending, Sum


class PaddedShortcut(nn.Module):
    """Every stride-th pixel, and zeros for the channels that are missing: a shortcut without weights (option A)."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels = channels
        self.stride = stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The image in the branch's shape."""
        x = x[:, :, :: self.stride, :: self.stride]
        missing = self.channels - x.shape[1]
        return pad(x, (0, 0, 0, 0, missing // 2, missing - missing // 2))


class ConvolutionBlock(Sum):
    """Convolutions with normalizations and activations between them, beside a skip connection.

    Its children are conv1, norm1, activation1 and so on. Post-activation is conv, norm, activation, the last of them
    behind the sum; pre-activation is norm, activation, conv, and a shortcut that projects takes what its first
    activation made.

    Args:
        convolutions: first to last.
        norms: the normalization in front of or behind each of them, None for none.
        activation: makes an activation.
        pre: whether normalization and activation stand in front of the convolutions.
        shortcut: what the skip connection does; None for nothing.
        ending: what happens to the branch before it is added; the activation behind the sum is made here.
    """

    def __init__(
        self,
        convolutions: Sequence[nn.Module],
        norms: Sequence[nn.Module | None],
        activation: Callable[[], nn.Module],
        shortcut: nn.Module | None,
        ending: Ending,
        *,
        pre: bool,
    ) -> None:
        super().__init__(ending if pre else replace(ending, activation=activation()))
        self.pre = pre
        self.count = len(convolutions)
        for number, (convolution, norm) in enumerate(zip(convolutions, norms, strict=True), start=1):
            acting = activation() if pre or number < self.count else None
            layers = [("conv", convolution), ("norm", norm), ("activation", acting)]
            for kind, layer in layers[1:] + layers[:1] if pre else layers:
                if layer is not None:
                    self.add_module(f"{kind}{number}", layer)
        self.shortcut = shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum of both ways."""
        branch, skip = x, x
        for number in range(1, self.count + 1):
            if self.pre:
                branch = self._step("activation", number, self._step("norm", number, branch))
                if number == 1 and self.shortcut is not None:
                    skip = self.shortcut(branch)
                branch = self._step("conv", number, branch)
            else:
                branch = self._step("norm", number, self._step("conv", number, branch))
                branch = self._step("activation", number, branch)
        if self.shortcut is not None and not self.pre:
            skip = self.shortcut(x)
        return self.add(skip, branch)

    def _step(self, kind: str, number: int, x: torch.Tensor) -> torch.Tensor:
        layer = getattr(self, f"{kind}{number}", None)
        return x if layer is None else layer(x)
