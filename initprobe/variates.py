"""Random numbers that depend on a seed and a name, and on nothing else.

Every weight and every input has a generator of its own, so that a draw does not depend on its neighbours, on their
order, on dtype or on memory layout; schemes that are compared share the same base variates; and the global generators
of torch, numpy and Python are never touched.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

RECIPE = "initprobe.v1"
"""Part of every seed: numbers may change only together with this word."""


def generator(seed: int, name: str) -> torch.Generator:
    """A CPU generator for that seed and that name."""
    key = f"{RECIPE}\0{seed}\0{name}".encode("utf-8", "surrogatepass")
    return torch.Generator("cpu").manual_seed(int.from_bytes(hashlib.sha256(key).digest()[:8], "little") >> 1)


@dataclass(frozen=True, slots=True)
class Variates:
    """The base variates of one name under one seed: asked twice, it answers with the same numbers."""

    seed: int
    name: str

    def normal(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Standard normal numbers, contiguous, float32, on the CPU."""
        return self._filled(shape, torch.Tensor.normal_)

    def uniform(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Numbers in [0, 1), contiguous, float32, on the CPU."""
        return self._filled(shape, torch.Tensor.uniform_)

    def integers(self, shape: tuple[int, ...], high: int) -> torch.Tensor:
        """Whole numbers in [0, high), contiguous, int64, on the CPU."""
        size = (math.prod(shape),)
        return torch.randint(high, size, generator=generator(self.seed, self.name), device="cpu").reshape(shape)

    def _filled(self, shape: tuple[int, ...], fill: object) -> torch.Tensor:
        flat = torch.empty(math.prod(shape), dtype=torch.float32, device="cpu")
        fill(flat, generator=generator(self.seed, self.name))  # type: ignore[operator]
        return flat.reshape(shape)


@dataclass(frozen=True, slots=True)
class PartVariates(Variates):
    """The base variates of one part: its share of those of the whole parameter, so that all schemes meet the same ones.

    Attributes:
        part: name of the part.
        shape: its shape; numbers of another shape come under a name of their own.
        share: from the kind of variates to this part's share of the whole parameter's.
    """

    part: str
    shape: tuple[int, ...]
    share: Callable[[str], torch.Tensor]

    def normal(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Standard normal numbers, float32, on the CPU."""
        return self.share("normal") if shape == self.shape else self._own().normal(shape)

    def uniform(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Numbers in [0, 1), float32, on the CPU."""
        return self.share("uniform") if shape == self.shape else self._own().uniform(shape)

    def _own(self) -> Variates:
        return Variates(self.seed, f"{self.name}[{self.part}]")
