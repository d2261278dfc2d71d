"""Plain stacks of layers, run by hand: no module, no hook, nothing of the package between a weight and its number.

Inputs are built so that every place has the second moment 1, the two samples of a pair a given correlation, and two
pairs none, exactly: what is left of a difference between theory and measurement is the stack's, and a mean over pairs is
one over draws that hardly know each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean, stdev

import torch
import torch.nn.functional as F

START = 0.3
"""Correlation of the two inputs of a pair."""

FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": F.relu, "leaky_relu": F.leaky_relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "gelu": F.gelu,
    "silu": F.silu, "mish": F.mish, "elu": F.elu, "selu": F.selu, "softplus": F.softplus, "hardtanh": F.hardtanh,
    "softsign": F.softsign,
}  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """What one draw of a stack did, layer after layer.

    Attributes:
        forward: second moment of the pre-activations.
        backward: that of their gradients, for a random cotangent at the last of them.
        cosine: of the two samples of a pair, averaged over pairs.
    """

    forward: list[float]
    backward: list[float]
    cosine: list[float]


@dataclass(frozen=True)
class Shape:
    """A stack.

    Attributes:
        units: features, or channels.
        kernel: taps of a square kernel per axis, None for a dense layer.
        size: pixels per axis.
        padding: how torch calls it.
    """

    units: int
    kernel: int | None = None
    size: int = 1
    padding: str = "circular"

    @property
    def fan_in(self) -> int:
        """Inputs of one output."""
        return self.units * (self.kernel or 1) ** 2

    @property
    def places(self) -> tuple[int, ...]:
        """Extents behind samples and units."""
        return () if self.kernel is None else (self.size, self.size)


def run(
    shape: Shape, activation: str, variances: tuple[float, float], *, depth: int, batch: int, seed: int,
    orthogonal: bool = False,
) -> Measured:  # fmt: skip
    """One forward and one backward pass of a fresh draw, with σ_w² / fan_in and σ_b²."""
    drawn = torch.Generator().manual_seed(seed)
    x = inputs(shape, batch, drawn)
    signals = []
    for layer in range(depth):
        weight = rotation(shape, layer, drawn) if orthogonal else torch.randn(_weight_shape(shape), generator=drawn)
        bias = torch.randn(shape.units, generator=drawn) * variances[1] ** 0.5
        scale = variances[0] ** 0.5 if orthogonal else (variances[0] / shape.fan_in) ** 0.5
        x = _layer(shape, x, weight * scale, bias)
        if not signals:
            x.requires_grad_()
        x.retain_grad()
        signals.append(x)
        x = FUNCTIONS[activation](x)
    signals[-1].backward(torch.randn(signals[-1].shape, generator=drawn))
    gradients = [signal.grad for signal in signals if signal.grad is not None]
    return Measured(
        [_second(one) for one in signals], [_second(one) for one in gradients], [_cosine(s) for s in signals]
    )


def inputs(shape: Shape, batch: int, drawn: torch.Generator) -> torch.Tensor:
    """Pairs of samples of second moment 1 and correlation ``START``, at every place; shape (batch, units, *places)."""
    raw = torch.randn((*shape.places, shape.units, batch), generator=drawn, dtype=torch.float64)
    apart = torch.linalg.qr(raw).Q.transpose(-1, -2) * shape.units**0.5
    gram = torch.eye(batch, dtype=torch.float64)
    for first in range(0, batch, 2):
        gram[first + 1, first] = gram[first, first + 1] = START
    alike = torch.linalg.cholesky(gram) @ apart
    return alike.movedim((-2, -1), (0, 1)).float().contiguous()


def rotation(shape: Shape, layer: int, drawn: torch.Generator) -> torch.Tensor:
    """An orthogonal matrix, in the middle of an empty kernel for a convolution (Xiao et al. 2018, section 4.1)."""
    left, right = (torch.randn(shape.units, 1, generator=drawn).sign() for _ in range(2))
    matrix = left * _orthogonal(shape.units, layer) * right.T
    if shape.kernel is None:
        return matrix
    weight = torch.zeros(_weight_shape(shape))
    weight[:, :, shape.kernel // 2, shape.kernel // 2] = matrix
    return weight


@lru_cache(maxsize=64)
def _orthogonal(units: int, layer: int) -> torch.Tensor:
    """One per layer for all draws, which flip the signs of its rows and columns."""
    matrix: torch.Tensor = torch.linalg.qr(torch.randn(units, units, generator=torch.Generator().manual_seed(layer))).Q
    return matrix


def _weight_shape(shape: Shape) -> tuple[int, ...]:
    return (shape.units, shape.units) + (() if shape.kernel is None else (shape.kernel, shape.kernel))


def _layer(shape: Shape, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    if shape.kernel is None:
        return F.linear(x, weight, bias)
    around = shape.kernel // 2
    mode = "constant" if shape.padding == "zeros" else shape.padding
    return F.conv2d(F.pad(x, (around,) * 4, mode=mode), weight, bias)


def _second(value: torch.Tensor) -> float:
    return value.detach().double().square().mean().item()


def _cosine(signal: torch.Tensor) -> float:
    rows = signal.detach().double().flatten(2).movedim(1, -1) if signal.dim() > 2 else signal.detach().double()
    rows = F.normalize(rows, dim=-1)
    return (rows[::2] * rows[1::2]).sum(-1).mean().item()


def agrees(errors: list[float], tolerance: float) -> None:
    """The mean over draws is 0 within the tolerance or within three standard errors."""
    error = 3.0 * stdev(errors) / len(errors) ** 0.5
    assert abs(fmean(errors)) <= max(tolerance, error), f"{fmean(errors):.4f} ± {error:.4f}"
