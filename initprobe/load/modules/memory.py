"""What one part of a network made, lent to layers inside another part for the time of a pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class Reader(nn.Module):
    """A layer that reads something beside its input.

    Attributes:
        memory: what is lent to it; None while nobody runs the network around it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.memory: torch.Tensor | None = None

    def read(self) -> torch.Tensor:
        """What is lent to it.

        Raises:
            RuntimeError: it is called by itself, outside of the network around it.
        """
        if self.memory is None:
            raise RuntimeError(f"{type(self).__name__} reads what another part made, and none has lent it anything")
        return self.memory


@contextmanager
def lent(memory: torch.Tensor, part: nn.Module) -> Iterator[None]:
    """Let every reader inside a part read the memory; afterwards they read what they did before."""
    readers = [module for module in part.modules() if isinstance(module, Reader)]
    before = [reader.memory for reader in readers]
    try:
        for reader in readers:
            reader.memory = memory
        yield
    finally:
        for reader, kept in zip(readers, before, strict=True):
            reader.memory = kept
