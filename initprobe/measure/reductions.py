"""A tensor becomes a few numbers: its moments, and what else a statistic reads.

On the CPU a decision costs nothing. On an accelerator it would be a round trip to the host, so there everything is
computed in float64 without looking, and one transfer at the end of the pass brings the numbers home.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from initprobe.measure.moments import Workspace, deferred_moments, host_moments, in_numpy

Numbers = Sequence[float]
Result = list[float] | torch.Tensor
"""Numbers that are on the host already, or a 1-D float64 tensor that still lies on the device."""


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
    def array(self) -> NDArray[np.float32] | None:
        """The values where they are float32 numbers on the host: a call of numpy's costs a third of one of torch's."""
        return self.tensor.resolve_neg().numpy() if in_numpy(self.tensor) else None

    @property
    def moments(self) -> Result:
        """See ``MOMENTS``; computed once."""
        if self._moments is None:
            values = self.values
            self._moments = (
                host_moments(values, self.workspace, extremes=self.extremes)
                if values.is_cpu
                else deferred_moments(values)
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
