"""The numbers of a measurement that make out an init: scales of parameters, signals and gradients, seed by seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from initprobe.check.naming import without_digits
from initprobe.check.signals import Array
from initprobe.check.values import SAME
from initprobe.records import Entry, Estimate, Location, ParameterSummary, Quantity, SiteSummary, StatisticSummary


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a measurement.

    Attributes:
        quantity: which one.
        name: the parameter, or the key of the call site.
        family: the name with its integers out of it, and the shape: what varies alike.
        values: one per seed, as measured.
        scale: what a mean is to be seen against, one per seed; empty for scales themselves.
        declared: the std that the scheme says it drew with, None where it does not say.
    """

    quantity: Quantity
    name: str
    family: tuple[str, tuple[int, ...]]
    values: Array
    scale: Array
    location: Location | None = None
    declared: float | None = None


def numbers(entry: Entry, names: Mapping[str, str], *, backward: bool) -> Iterator[Number]:
    """Every number: parameters in registration order, the signal from front to back, the gradient likewise.

    Args:
        entry: what was measured.
        names: other names to give to parameters and sites, for those that were renamed.
        backward: whether gradients are wanted.
    """
    for parameter in entry.weights:
        yield from _of_parameter(parameter, names.get(parameter.weight.name, parameter.weight.name))
    sites = [summary for summary in entry.sites if summary.site.alias_of is None]
    for summary in sites:
        yield from _of_site(summary, names, "forward RMS", summary.forward)
    for summary in sites if backward else ():
        yield from _of_site(summary, names, "gradient RMS", summary.backward or {})


def shapes(entry: Entry) -> dict[str, tuple[object, ...]]:
    """Every parameter and call site by name, with what it must have kept to be the same, batch axis aside."""
    found: dict[str, tuple[object, ...]] = {
        summary.weight.name: (summary.weight.role, summary.weight.shape) for summary in entry.weights
    }
    for summary in entry.sites:
        if summary.site.alias_of is None:
            found[_key(summary)] = (summary.site.kind, summary.shape[1:], summary.dtype)
    return found


def plain(name: str) -> str:
    """A name as people know it: sites have a mark of their own, for a module may be called like a parameter."""
    return name.removeprefix(_SITE)


_SITE = "\x00"


def _key(summary: SiteSummary) -> str:
    return _SITE + summary.site.key


def _of_parameter(summary: ParameterSummary, name: str) -> Iterator[Number]:
    rms, std, mean = (_per_seed(summary.value.get(key)) for key in ("rms", "std", "mean"))
    if not len(rms) == len(std) == len(mean):
        return
    where, family = summary.weight.location, (without_digits(name), summary.weight.shape)
    flat = np.where(std <= SAME * rms, 0.0, std)
    yield Number("std", name, family, flat, np.empty(0), where, summary.declared_std)
    yield Number("mean", name, family, mean, rms, where)


def _of_site(
    summary: SiteSummary,
    names: Mapping[str, str],
    quantity: Quantity,
    statistics: Mapping[str, StatisticSummary],
) -> Iterator[Number]:
    rms = _per_seed(statistics.get("rms"))
    if not len(rms):
        return
    lost = _per_seed(statistics.get("nonfinite"))
    if len(lost) == len(rms):
        rms = np.where(lost > 0, np.inf, rms)
    key = names.get(_key(summary), _key(summary))
    yield Number(quantity, key, (without_digits(key), summary.shape), rms, np.empty(0), summary.site.location)


def _per_seed(value: StatisticSummary | None) -> Array:
    return np.array(value.per_seed if isinstance(value, Estimate) else (), dtype=np.float64)


def renamings(old: Mapping[str, tuple[object, ...]], new: Mapping[str, tuple[object, ...]]) -> dict[str, str]:
    """New name to old name, where what is new and what is missing are the same things in the same order."""
    gone = [name for name in old if name not in new]
    came = [name for name in new if name not in old]
    alike = len(gone) == len(came) and all(old[a] == new[b] for a, b in zip(gone, came, strict=True))
    return dict(zip(came, gone, strict=True)) if alike and _in_order(old, new, gone, came) else {}


def _in_order(
    old: Mapping[str, tuple[object, ...]], new: Mapping[str, tuple[object, ...]], gone: list[str], came: list[str]
) -> bool:
    """Whether the renamed ones stand where the old ones stood, among those that kept their names."""
    back = dict(zip(came, gone, strict=True))
    places = {name: place for place, name in enumerate(old)}
    walk = [places[back.get(name, name)] for name in new]
    return all(before < after for before, after in pairwise(walk))
