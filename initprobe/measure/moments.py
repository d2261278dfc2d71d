"""Count, mean, spread, bounds and zeros of a tensor: exact, finite where the data are finite, and cheap.

Values of 1e25 and 1e-30 are daily bread here, and a sum of squares in float32 overflows or underflows there, so every
chunk decides for itself: the fast float32 path where its absolute maximum lies in a safe range, the float64 path
elsewhere. The finite elements are described; the others are counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext

import numpy as np
import torch
from numpy.typing import NDArray

FAST = 1 << 17
"""Elements per chunk in float32: 512 KiB, so that all passes after the first one find it in the second-level cache."""

EXACT = 1 << 15
"""Elements per chunk in float64; torch keeps an operation of this size on one thread, whatever their number."""

SAFE = (1e-22, 1e30)
"""Mean squares between which float32 squares neither overflow nor lose what counts to underflow."""

CENTRED = 10.0
"""Where mean² exceeds this many variances, ``sum(x²) - n mean²`` has lost too many digits in float32."""

LARGE = 1e15
"""Float32 values below this can be squared and summed in float32."""

BLOCK = 512
"""Values in one dot product in float32: so few that rounding stays below 1e-6 of it, whichever way it falls."""

ONES = np.ones(BLOCK, dtype=np.float32)
"""The sum of a block is its dot product with these."""

WIDE = 1e140
"""Float64 data beyond this (or below its inverse) are scaled before they are squared."""

RowProducts = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]


def products_by_row(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """Dot products of the rows of a matrix with those of another, or all with one vector."""
    found: NDArray[np.float32] = np.matmul(left[:, None, :], right[..., None])[:, 0, 0]
    return found


row_products: RowProducts = getattr(np, "vecdot", products_by_row)
"""The same; numpy has a function for it since 2.0, and that takes two thirds of the time."""


class Workspace:
    """Scratch memory that all tensors of a pass share: temporaries from the allocator cost 3 to 14 times more."""

    def __init__(self) -> None:
        # The caller's defaults may be others.
        self.fast = np.empty(FAST, dtype=np.float32)
        self.copy = torch.empty(FAST, dtype=torch.float32, device="cpu")
        self.exact = torch.empty(EXACT, dtype=torch.float64, device="cpu")
        self.flags = np.empty(FAST, dtype=np.bool_)


def in_numpy(tensor: torch.Tensor) -> bool:
    """Whether numpy can read float32 numbers where they are; a subclass may have others than it shows."""
    return tensor.dtype is torch.float32 and type(tensor) is torch.Tensor and tensor.is_cpu


def host_moments(values: torch.Tensor, workspace: Workspace, *, extremes: bool = True) -> list[float]:
    """The moments of a tensor on the CPU, each chunk at the precision it needs."""
    size = values.numel()
    if size <= FAST and in_numpy(values):
        # Most tensors are one chunk: nothing to merge.
        found = _fast_moments(values.numpy().reshape(-1), workspace, extremes=extremes)
        if found is not None:
            return [size, size, *found, 1.0]
    merged = _Moments(workspace)
    if values.dtype is torch.float64:
        merged.scale = _scale(values)
        for chunk in chunks(values, EXACT):
            merged.add_exact(chunk)
    else:
        for chunk in chunks(values, FAST):
            merged.add(chunk, extremes=extremes)
    return [size, merged.finite, merged.mean, merged.m2, merged.low, merged.high, merged.zeros, merged.scale]


SMALL = 1 << 12
"""Tensors up to this size (biases, scales of norms) cost more in calls than in arithmetic: several go in one."""


def together(tensors: Sequence[torch.Tensor]) -> list[list[float] | None]:
    """Moments without extremes of those small tensors that share their size; None for the others.

    Rows of one matrix take as many calls as one tensor alone. What float32 is not exact enough for stays None too.
    """
    found: list[list[float] | None] = [None] * len(tensors)
    alike: dict[int, list[int]] = {}
    for place, tensor in enumerate(tensors):
        if tensor.dtype is torch.float32 and tensor.is_cpu and 0 < tensor.numel() <= SMALL:
            alike.setdefault(tensor.numel(), []).append(place)
    for size, places in alike.items():
        for start in range(0, len(places), FAST // size):
            group = places[start : start + FAST // size]
            rows = torch.stack([tensors[place].reshape(-1) for place in group])
            sums = rows.sum(1).tolist()
            squares = rows.square_().sum(1).tolist()
            for place, total, square in zip(group, sums, squares, strict=True):
                mean = total / size
                m2 = square - size * mean * mean
                if _exact_enough(size, mean, m2, most=1.0):
                    found[place] = [size, size, mean, m2, math.inf, -math.inf, 0, 1.0]
    return found


def _exact_enough(size: int, mean: float, m2: float, *, most: float) -> bool:
    """Whether float32 squares neither left their range nor cancelled: mean² is at most so many variances.

    NaN fails every comparison.
    """
    return SAFE[0] * size < m2 < SAFE[1] * size and mean * mean * size <= most * m2


Chunk = tuple[float, float, float, float, int]
"""Mean, centred sum of squares, minimum, maximum and zeros of one chunk."""


def _fast_moments(values: NDArray[np.float32], workspace: Workspace, *, extremes: bool) -> Chunk | None:
    """A float32 chunk in float32; None where that is not exact enough.

    In numpy, because a matrix product sweeps all code out of the cache, and a call of numpy's goes through less of it
    than one of torch's.
    """
    values = np.ascontiguousarray(values)
    size = values.size
    low, high, zeros = math.inf, -math.inf, 0
    if extremes:
        low, high = float(np.minimum.reduce(values)), float(np.maximum.reduce(values))
        if not -LARGE < low <= high < LARGE:  # NaN fails every comparison
            return None
    # Without bounds nobody knows what will overflow, and numpy would tell.
    with nullcontext() if extremes else np.errstate(all="ignore"):
        mean = plain_sum(values) / size
        m2 = square_sum(values) - size * mean * mean
    if not _exact_enough(size, mean, m2, most=CENTRED):
        return None
    if low <= 0.0 <= high:
        # Counting the true is fast, counting what is not zero among floats takes ten times as long.
        zeros = int(np.count_nonzero(np.equal(values, 0, out=workspace.flags[:size])))
    if mean * mean * size > m2:
        # The difference has lost digits already: take it around the mean.
        centre = np.float32(mean)
        around = np.subtract(values, centre, out=workspace.fast[:size])
        shift = plain_sum(around) / size
        m2 = square_sum(around) - size * shift * shift
        mean = float(centre) + shift
    return mean, m2, low, high, zeros


def plain_sum(values: NDArray[np.float32]) -> float:
    """The sum of a 1-D array: dot products in float32, put together in float64."""
    whole = values.size - values.size % BLOCK
    total = np.add.reduce(row_products(values[:whole].reshape(-1, BLOCK), ONES), dtype=np.float64)
    return float(total + np.dot(values[whole:], ONES[: values.size - whole]))


def square_sum(values: NDArray[np.float32]) -> float:
    """The sum of its squares, likewise."""
    whole = values.size - values.size % BLOCK
    rows, rest = values[:whole].reshape(-1, BLOCK), values[whole:]
    return float(np.add.reduce(row_products(rows, rows), dtype=np.float64) + np.dot(rest, rest))


class _Moments:
    """Count, mean and centred sum of squares, merged chunk by chunk (Chan, Golub & LeVeque 1983)."""

    __slots__ = ("finite", "high", "low", "m2", "mean", "scale", "workspace", "zeros")

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.finite = 0
        self.mean = 0.0
        self.m2 = 0.0
        self.low = math.inf
        self.high = -math.inf
        self.zeros = 0
        self.scale = 1.0

    def add(self, chunk: torch.Tensor, *, extremes: bool) -> None:
        """A chunk of any dtype narrower than float64."""
        if not in_numpy(chunk):
            chunk = self.workspace.copy[: chunk.numel()].copy_(chunk)
        found = _fast_moments(chunk.numpy(), self.workspace, extremes=extremes)
        if found is not None:
            self._merge(chunk.numel(), *found)
            return
        for part in torch.split(chunk, EXACT):
            self.add_exact(part)

    def add_exact(self, chunk: torch.Tensor) -> None:
        """A chunk in float64, what is not finite left out."""
        wide = self.workspace.exact[: chunk.numel()].copy_(chunk)
        if self.scale != 1.0:
            wide.div_(self.scale)
        smallest, largest = torch.aminmax(wide)
        if not (math.isfinite(smallest.item()) and math.isfinite(largest.item())):
            wide = wide[torch.isfinite(wide)]
            if wide.numel() == 0:
                return
            smallest, largest = torch.aminmax(wide)
        size, low, high = wide.numel(), smallest.item(), largest.item()
        zeros = 0 if low > 0 or high < 0 else size - int(torch.count_nonzero(wide).item())
        mean = wide.sum().item() / size
        wide.sub_(mean)
        rounding = wide.sum().item()
        # Not torch.dot: its last bits depend on the number of threads. The second term takes out the mean's own error.
        m2 = wide.square_().sum().item() - rounding * rounding / size
        self._merge(size, mean, max(m2, 0.0), low, high, zeros)

    def _merge(self, size: int, mean: float, m2: float, low: float, high: float, zeros: int) -> None:
        total = self.finite + size
        shift = mean - self.mean
        self.mean += shift * size / total
        self.m2 += m2 + shift * shift * self.finite * size / total
        self.finite = total
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.zeros += zeros


def _scale(values: torch.Tensor) -> float:
    """A power of two that brings float64 data into the range in which squares are safe."""
    finite = values[torch.isfinite(values)]
    peak = finite.abs().max().item() if finite.numel() else 0.0
    if peak == 0.0 or 1 / WIDE < peak < WIDE:
        return 1.0
    return math.ldexp(1.0, min(max(math.frexp(peak)[1], -1021), 1022))


def chunks(values: torch.Tensor, size: int) -> Iterator[torch.Tensor]:
    """All elements as 1-D tensors of at most ``size``, in memory order where that spares a copy."""
    if values.is_contiguous():
        if values.numel() <= size:
            yield values.view(-1)
        else:
            yield from torch.split(values.view(-1), size)
        return
    axes = sorted(range(values.dim()), key=values.stride, reverse=True)
    ordered = values.permute(axes)
    if ordered.is_contiguous():
        yield from torch.split(ordered.view(-1), size)
    elif ordered[0].numel() <= size:
        rows = max(1, size // max(1, ordered[0].numel()))
        for part in torch.split(ordered, rows):
            yield from torch.split(part.reshape(-1), size)
    else:
        for part in ordered:
            yield from chunks(part, size)


def deferred_moments(values: torch.Tensor) -> torch.Tensor:
    """The moments as a float64 tensor on the tensor's device, without one look at a value."""
    if values.device.type == "mps":  # it knows no float64
        values = values.cpu()
    wide = values.double()
    finite = torch.isfinite(wide)
    known = torch.where(finite, wide, 0.0)
    number = finite.sum(dtype=torch.float64)
    peak = known.abs().amax()
    outside = (peak > WIDE) | ((peak < 1 / WIDE) & (peak > 0))
    exponent = torch.frexp(peak)[1].clamp(-1021, 1022).double()
    scale = torch.where(outside, torch.exp2(exponent), torch.ones_like(peak))
    known = known / scale
    mean = known.sum() / number
    m2 = torch.where(finite, known - mean, 0.0).square().sum()
    low = torch.where(finite, known, math.inf).amin()
    high = torch.where(finite, known, -math.inf).amax()
    zeros = ((known == 0) & finite).sum(dtype=torch.float64)
    count = torch.full_like(number, wide.numel())
    return torch.stack([count, number, mean, m2, low, high, zeros, scale])
