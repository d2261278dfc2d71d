"""Positions as waves of many lengths."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from initprobe.init.fans import UndrawableError

if TYPE_CHECKING:
    from torch import Tensor

EXTRA_TOKENS = 2
"""How many tokens may stand before the patches of an image: a class token, and one for distillation."""


def sinusoids(positions: Tensor, width: int, base: float) -> tuple[Tensor, Tensor]:
    """Sines and cosines of every position over ⌈width / 2⌉ wavelengths from 2π to 2π · base, float64."""
    import torch

    pairs = (width + 1) // 2
    rates = base ** (-2.0 * torch.arange(pairs, dtype=torch.float64) / width)
    angles = positions.double().unsqueeze(-1) * rates
    return angles.sin(), angles.cos()


def along_line(count: int, width: int, base: float) -> Tensor:
    """One row per position: sine and cosine of one wavelength side by side (Vaswani et al. 2017, section 3.5)."""
    import torch

    sine, cosine = sinusoids(torch.arange(count), width, base)
    return torch.stack([sine, cosine], -1).flatten(-2)[:, :width]


def over_grid(height: int, width: int, features: int, base: float) -> Tensor:
    """One row per patch, row by row: two quarters for how far down it lies, two for how far across.

    Raises:
        UndrawableError: the features do not fall into four quarters.
    """
    import torch

    if features % 4:
        raise UndrawableError(f"{features} features do not fall into the four quarters of a grid of waves")
    down, across = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    waves = [wave for axis in (down, across) for wave in sinusoids(axis.flatten(), features // 2, base)]
    return torch.cat(waves, -1)


def position_table(shape: tuple[int, ...], axis: int, dimensions: int, base: float) -> tuple[Tensor, int]:
    """A table of positions in the shape of a parameter, and how many of its rows are no patches and stay zero.

    Args:
        shape: of the parameter; axes of length 1 do not count.
        axis: the one that counts the features.
        dimensions: 1 for places in a row, 2 for those of patches in an image.
        base: of the wavelengths.

    Raises:
        UndrawableError: the shape is none of a table of positions.
    """
    features = shape[axis]
    places = [extent for place, extent in enumerate(shape) if place != axis % len(shape) and extent > 1]
    extra = 0
    if len(places) == 2 and dimensions == 2:
        table = over_grid(places[0], places[1], features, base)
    elif len(places) != 1:
        raise UndrawableError(f"a tensor of shape {shape} is no table with one row per position")
    elif dimensions == 1:
        table = along_line(places[0], features, base)
    else:
        side = math.isqrt(places[0])
        extra = places[0] - side * side
        if extra > EXTRA_TOKENS:
            raise UndrawableError(f"{places[0]} positions are no square of patches")
        grid = over_grid(side, side, features, base)
        table = grid.new_zeros(places[0], features)
        table[extra:] = grid
    moved = [extent for place, extent in enumerate(shape) if place != axis % len(shape)]
    return table.reshape(*moved, features).movedim(-1, axis), extra
