"""A tensor becomes a few numbers: exact, finite where the data are finite, and cheap.

Values of 1e25 and 1e-30 are daily bread here, and a sum of squares in float32 overflows or underflows there, so every
chunk decides for itself: the fast float32 path where its absolute maximum lies in a safe range, the float64 path
elsewhere. Reductions describe the finite elements; the others are counted.

On the CPU a decision costs nothing. On an accelerator it would be a round trip to the host, so there everything is
computed in float64 without looking, and one transfer at the end of the pass brings the numbers home.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

FAST = 1 << 16
"""Elements per chunk in float32: 256 KiB, so that the chunk and its scratch copy stay in the second-level cache."""

EXACT = 1 << 15
"""Elements per chunk in float64; torch keeps an operation of this size on one thread, whatever their number."""

SAFE = (1e-22, 1e30)
"""Mean squares between which float32 squares neither overflow nor lose what counts to underflow."""

CENTRED = 10.0
"""Where mean² exceeds this many variances, ``sum(x²) - n mean²`` has lost too many digits in float32."""

WIDE = 1e140
"""Float64 data beyond this (or below its inverse) are scaled before they are squared."""

Numbers = Sequence[float]
Result = list[float] | torch.Tensor
"""Numbers that are on the host already, or a 1-D float64 tensor that still lies on the device."""


class Workspace:
    """Scratch memory that all tensors of a pass share: temporaries from the allocator cost 3 to 14 times more."""

    def __init__(self) -> None:
        # The caller's defaults may be others.
        self.fast = torch.empty(FAST, dtype=torch.float32, device="cpu")
        self.copy = torch.empty(FAST, dtype=torch.float32, device="cpu")
        self.exact = torch.empty(EXACT, dtype=torch.float64, device="cpu")
        self.flags = np.empty(FAST, dtype=np.bool_)


@dataclass(slots=True)
class View:
    """One tensor on its way into numbers, with what its reductions share.

    Attributes:
        tensor: detached, strided, not empty, floating or complex.
        workspace: scratch memory.
        batch: the batch size, to tell whether axis 0 counts samples.
        unit_axis: the axis that counts units, from the end, or None.
        step_axis: the axis that counts time steps, likewise.
        on_stream: whether the value is the output of a weight operation, an embedding or a residual join.
        weighted: whether it is the output of a weight operation.
        can_die: whether it is the output of an activation that is zero on a half-line.
        extremes: whether minimum, maximum and zeros are wanted too; they cost as much as all else.
        flat: the values beyond which the activation that made it is flat, None of any other.
    """

    tensor: torch.Tensor
    workspace: Workspace
    batch: int | None = None
    unit_axis: int | None = None
    on_stream: bool = False
    weighted: bool = False
    can_die: bool = False
    extremes: bool = True
    step_axis: int | None = None
    flat: tuple[float, float] | None = None
    _moments: Result | None = None

    @property
    def values(self) -> torch.Tensor:
        """The tensor as real numbers; a complex one has a last axis of two more."""
        if not self.tensor.is_complex():
            return self.tensor.resolve_neg()
        return torch.view_as_real(self.tensor.resolve_conj().resolve_neg())

    @property
    def moments(self) -> Result:
        """See ``MOMENTS``; computed once."""
        if self._moments is None:
            values = self.values
            on_host = values.device.type == "cpu"
            self._moments = (
                host_moments(values, self.workspace, extremes=self.extremes) if on_host else deferred_moments(values)
            )
        return self._moments

    @property
    def host_moments(self) -> Numbers | None:
        """The moments where looking at them costs no transfer, else None."""
        moments = self.moments
        return moments if isinstance(moments, list) else None


@dataclass(frozen=True, eq=False)
class Reduction:
    """A named way to turn a tensor into a fixed number of numbers.

    Attributes:
        name: unique.
        run: from a view to numbers.
        applies: whether it makes sense for a view, None for always; where it does not, statistics on it are absent.
    """

    name: str
    run: Callable[[View], Result]
    applies: Callable[[View], bool] | None = None


MOMENTS = Reduction("moments", lambda view: view.moments)
"""``[count, finite, mean, m2, minimum, maximum, zeros, scale]``: of the finite elements, in units of ``scale`` (the
last, a power of two), with m2 the sum of squared deviations from the mean."""


def host_moments(values: torch.Tensor, workspace: Workspace, *, extremes: bool = True) -> list[float]:
    """The moments of a tensor on the CPU, each chunk at the precision it needs."""
    size = values.numel()
    if values.dtype is torch.float32 and size <= FAST and values.is_contiguous():
        # Most tensors are one chunk: nothing to merge.
        found = _fast_moments(values.view(-1), workspace, extremes=extremes)
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


def together(tensors: Sequence[torch.Tensor]) -> list[Result | None]:
    """Moments without extremes of those small tensors that share their size; None for the others.

    Rows of one matrix take as many calls as one tensor alone. What float32 is not exact enough for stays None too.
    """
    found: list[Result | None] = [None] * len(tensors)
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


def _fast_moments(chunk: torch.Tensor, workspace: Workspace, *, extremes: bool) -> Chunk | None:
    """A float32 chunk in float32; None where that is not exact enough."""
    size = chunk.numel()
    scratch = workspace.fast[:size]
    mean = chunk.sum().item() / size
    # torch.dot would be twice as fast, and is wrong by 1e-5 on heavy tails and by 1e-6 on values of few digits
    # (bfloat16 ones): it rounds the same way again and again, where torch.sum cascades.
    squares = torch.mul(chunk, chunk, out=scratch)
    m2 = squares.sum().item() - size * mean * mean
    if not _exact_enough(size, mean, m2, most=CENTRED):
        return None
    low, high, zeros = math.inf, -math.inf, 0
    if extremes:
        smallest, largest = torch.aminmax(chunk)
        low, high = smallest.item(), largest.item()
        # Counting is dear: where no square is zero there is nothing to count.
        if low <= 0.0 <= high and (low * high == 0.0 or squares.amin().item() == 0.0):
            # Torch takes two to thirty times as long to compare and count.
            zeros = int(np.count_nonzero(np.equal(chunk.numpy(), 0, out=workspace.flags[:size])))
    if mean * mean * size > m2:
        # The difference has lost digits already: take it around the mean.
        centre = chunk.new_tensor(mean)
        shift = torch.sub(chunk, centre, out=scratch).sum().item() / size
        m2 = scratch.square_().sum().item() - size * shift * shift
        mean = centre.item() + shift
    return mean, m2, low, high, zeros


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
        if chunk.dtype is not torch.float32:
            chunk = self.workspace.copy[: chunk.numel()].copy_(chunk)
        found = _fast_moments(chunk, self.workspace, extremes=extremes)
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


def to_host(results: Sequence[Result]) -> list[Numbers]:
    """All results as numbers, with a single transfer for those that still lie on a device."""
    away = [result for result in results if isinstance(result, torch.Tensor)]
    if not away:
        return [result for result in results if not isinstance(result, torch.Tensor)]
    flat = torch.cat([result.reshape(-1).double() for result in away]).tolist()
    homes: list[Numbers] = []
    start = 0
    for result in results:
        if isinstance(result, torch.Tensor):
            homes.append(flat[start : start + result.numel()])
            start += result.numel()
        else:
            homes.append(result)
    return homes
