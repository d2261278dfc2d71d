"""What one part of a network made, lent to layers inside another part for the time of a pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

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


class Lender(nn.Module):
    """A layer that lends to readers inside one part of it.

    Attributes:
        borrower: the name of that part.
    """

    borrower: ClassVar[str]


def readers(part: nn.Module) -> Iterator[Reader]:
    """The layers inside a part that read what is lent to it; those that another lender inside serves are not."""
    if isinstance(part, Reader):
        yield part
    for name, child in part.named_children():
        if not isinstance(part, Lender) or name != part.borrower:
            yield from readers(child)


@contextmanager
def lent(memory: torch.Tensor, part: nn.Module) -> Iterator[None]:
    """Let every reader inside a part read the memory; afterwards they read what they did before."""
    found = list(readers(part))
    before = [reader.memory for reader in found]
    try:
        for reader in found:
            reader.memory = memory
        yield
    finally:
        for reader, kept in zip(found, before, strict=True):
            reader.memory = kept
