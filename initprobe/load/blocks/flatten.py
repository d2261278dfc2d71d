"""Axes made one."""

from __future__ import annotations

import math
from typing import ClassVar

from torch import nn

from initprobe.load.blocks.base import Branch, Incoming, Layer, block


@block("flatten")
class Flatten(Layer):
    """All axes of a sample made one."""

    tokens: ClassVar[bool] = True

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.Flatten``."""
        incoming.last()
        return Branch(nn.Flatten(), incoming.signal.shaped(math.prod(incoming.shape)))
