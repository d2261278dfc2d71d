"""The measured numbers as arrays: seeds by sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from initprobe.records import Evidence, ParameterTrace, SiteTrace

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Direction = Literal["forward", "backward"]

MACHINE_EPSILON = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
"""Distance from 1 to the next number, by dtype."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What was measured, by name, one mapping per seed."""

    sites: tuple[Mapping[str, SiteTrace], ...]
    parameters: tuple[Mapping[str, ParameterTrace], ...]

    @classmethod
    def of(cls, evidences: Sequence[Evidence]) -> Self:
        """The numbers of every evidence."""
        return cls(
            tuple({site.key: site for site in evidence.trace.sites} for evidence in evidences),
            tuple({each.name: each for each in evidence.trace.parameters} for evidence in evidences),
        )

    def at(self, keys: Sequence[str], statistic: str, direction: Direction = "forward") -> Array:
        """A statistic of some sites, shape (seeds, sites); nan where it was not measured."""
        return np.array(
            [[_number(_statistics(sites.get(key), direction), statistic) for key in keys] for sites in self.sites],
            dtype=np.float64,
        ).reshape(len(self.sites), len(keys))

    def rms(self, keys: Sequence[str], direction: Direction) -> Array:
        """The RMS of some sites, shape (seeds, sites); nan where it was not measured, inf where values were not finite.

        Statistics are over the finite elements, so a value that overflowed in part has no RMS that could be compared.
        """
        rms = self.at(keys, "rms", direction)
        rms[self.at(keys, "nonfinite", direction) > 0] = np.inf
        return rms

    def epsilon(self, keys: Sequence[str]) -> float:
        """The coarsest rounding among some sites, relative to their values."""
        dtypes = {sites[key].dtype for sites in self.sites for key in keys if key in sites}
        return max((MACHINE_EPSILON.get(dtype, 0.0) for dtype in dtypes), default=0.0)

    def value(self, parameter: str, statistic: str) -> Array:
        """A statistic of one parameter's values, shape (seeds,); nan where it was not measured."""
        traces = [each.get(parameter) for each in self.parameters]
        return np.array([_number(None if one is None else one.value, statistic) for one in traces], dtype=np.float64)

    def gradient(self, parameter: str, statistic: str) -> Array:
        """A statistic of one parameter's gradient, shape (seeds,); nan where it was not measured."""
        traces = [each.get(parameter) for each in self.parameters]
        return np.array([_number(trace.gradient if trace else None, statistic) for trace in traces], dtype=np.float64)

    def reached(self, parameter: str) -> bool | None:
        """Whether the loss depends on a parameter in any seed, None where no backward pass could tell."""
        answers = {each[parameter].reached for each in self.parameters if parameter in each}
        return True if True in answers else False if False in answers else None

    def has_gradient(self, key: str) -> bool:
        """Whether a gradient came back to a site in every seed."""
        return all(key in sites and sites[key].backward is not None for sites in self.sites)

    def is_zero(self, parameter: str | None) -> bool:
        """Whether a parameter is exactly zero in every seed; False where that was not measured."""
        if parameter is None:
            return False
        sizes = [_number(each[parameter].value, "rms") if parameter in each else np.nan for each in self.parameters]
        return bool(sizes) and all(size == 0 for size in sizes)


def _statistics(site: SiteTrace | None, direction: Direction) -> Mapping[str, object] | None:
    if site is None:
        return None
    return site.forward if direction == "forward" else site.backward


def _number(statistics: Mapping[str, object] | None, name: str) -> float:
    value = None if statistics is None else statistics.get(name)
    return float(value) if isinstance(value, (int, float)) else np.nan
