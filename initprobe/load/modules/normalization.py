"""Normalizations of images by the names that options of layers take."""

from __future__ import annotations

from typing import Literal

from torch import nn

ImageNorm = Literal["batch_norm", "group_norm", "instance_norm", "none"]

GROUPS = 32
"""Groups of a group normalization; as many as divide the channels where these do not."""


def check_map(kind: ImageNorm, *sizes: int) -> None:
    """Make sure that a normalization has numbers to take a variance of on the smallest map of a layer.

    Raises:
        ValueError: an instance normalization meets a single value per channel.
    """
    if kind == "instance_norm" and max(sizes) < 2:
        raise ValueError("instance_norm needs more than one value per channel, and the map has shrunk to one")


def make_norm(kind: ImageNorm, channels: int) -> nn.Module | None:
    """The normalization of images with that many channels; None for ``none``."""
    if kind == "batch_norm":
        return nn.BatchNorm2d(channels)
    if kind == "group_norm":
        groups = next(count for count in range(min(GROUPS, channels), 0, -1) if channels % count == 0)
        return nn.GroupNorm(groups, channels)
    if kind == "instance_norm":
        return nn.InstanceNorm2d(channels, affine=True)
    return None
