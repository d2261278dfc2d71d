"""What a checkpoint format is: it reads tensors by name from a file that is not trusted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from initprobe.registry import Registry


@dataclass(frozen=True, slots=True)
class WeightsFormat:
    """One format of checkpoints.

    Attributes:
        name: in lists and messages.
        suffixes: of its files, in small letters.
        read: ``read(path)`` with an existing file that fits the memory. It answers with a mapping of names to tensors
            on the CPU, or with mappings around one; see ``load.checkpoint``.

    ``read`` raises ``UsageError`` for a file that it cannot or must not read.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path], Any]


WEIGHTS: Registry[WeightsFormat] = Registry("weights", "initprobe.load.weights", "initprobe.weights")


def weights_format(leaf: WeightsFormat) -> WeightsFormat:
    """Register a format; a leaf calls this once at module level."""
    WEIGHTS.add(leaf.name, leaf)
    return leaf
