"""Did the init change? Two measurements of one network, compared number by number against the spread over seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from initprobe.check.naming import without_digits
from initprobe.check.profile import Number, numbers, plain, renamings, shapes
from initprobe.check.rejudge import compared
from initprobe.check.rules.base import CHANGES
from initprobe.check.shift import ROUNDING, Pair, changed, level_of, pooled, resolution
from initprobe.check.signals import Array
from initprobe.errors import UsageError
from initprobe.records import CheckRequest, Difference, Entry, Report, Shift

SCALES = ("forward RMS", "gradient RMS")


def against(old: Report, new: Report, *, complete: bool) -> Report:
    """The newer report, each entry with what changed since the older one as findings and a verdict.

    Entries are told apart by target and scheme; a single one on each side is the same network whatever it is called.

    Args:
        old: before.
        new: after.
        complete: whether an older entry without a newer one is a change, too (``diff``), and not just not asked for.

    Raises:
        UsageError: a side has nothing measured, or single draws of a factory, which have no spread.
    """
    before = [entry for entry in old.entries if entry.failure is None]
    if not before:
        raise UsageError("the older result holds nothing that was measured")
    partners = {id(entry): _partner(entry, before, new.entries) for entry in new.entries}
    entries = [
        entry if entry.failure is not None else _held(entry, _between(partners[id(entry)], entry))
        for entry in new.entries
    ]
    found = [id(partner) for partner in partners.values() if partner is not None]
    if complete:
        entries += [_gone(entry) for entry in before if id(entry) not in found]
    return replace(new, entries=tuple(entries))


def unjudged(report: Report) -> Report:
    """The report as far as it was measured: nothing found, nobody's wishes, and only changes to look for."""
    alone = CheckRequest(select=(CHANGES,), against=True)
    entries = (
        replace(entry, request=replace(entry.request, check=alone), findings=(), checked=(), verdict=None)
        for entry in report.entries
    )
    return replace(report, entries=tuple(entries))


def difference(old: Entry, new: Entry) -> Difference:
    """What changed between two measurements of one network.

    Every parameter's std and mean and the RMS of every signal and gradient is compared by ``shift.changed``, with what
    Bonferroni leaves for one of them, so that a mere redraw is taken for a change once in twenty networks at most.

    Raises:
        UsageError: each side is a single draw of other seeds, which have no spread.
    """
    _check_draws(old, new)
    before, after = shapes(old), shapes(new)
    names = renamings(before, after)
    backward = old.loss == new.loss != "none"
    pairs = _pairs(old, new, names, backward=backward)
    level = level_of(len(pairs))
    families = _families(pairs)
    shifts = _grouped([one for one in pairs if one.changed(level, families.get(one.new.family))])
    missing = tuple(plain(name) for name in before if name not in after and name not in names.values())
    added = tuple(plain(name) for name in after if name not in before and name not in names)
    reshaped = tuple(plain(name) for name in after if name in before and before[name] != after[name])
    matrices = [one for one in pairs if one.new.quantity == "std" and len(one.new.family[1]) > 1]
    steps = [one.resolution(level, families.get(one.new.family)) for one in matrices]
    known = [step for step in steps if not math.isnan(step)]
    return Difference(
        against=f"{old.name} · {old.scheme}",
        verdict="fail" if shifts or missing or added or reshaped else "pass",
        shifts=shifts,
        missing=missing,
        added=added,
        reshaped=reshaped,
        renamed=tuple((plain(was), plain(name)) for name, was in names.items()),
        compared=len(pairs),
        resolution=math.exp(statistics.median(known)) if known else math.nan,
        seeds=(len(old.seeds), len(new.seeds)),
        notes=_notes(old, new),
    )


@dataclass(frozen=True, slots=True)
class _Compared:
    """A number before and after, and the values of both that can be compared."""

    old: Number
    new: Number
    pair: Pair | None

    def changed(self, level: float, family: tuple[float, int] | None) -> bool:
        if self.old.declared and self.new.declared and abs(math.log(self.new.declared / self.old.declared)) > ROUNDING:
            return True
        if self.pair is None:
            return _kind(self.old.values) != _kind(self.new.values)
        return changed(self.pair, level, family=family if self.new.quantity == "std" else None)

    def resolution(self, level: float, family: tuple[float, int] | None) -> float:
        return math.nan if self.pair is None else resolution(self.pair, level, family=family)

    @property
    def factor(self) -> float:
        """New over old; nan where there is none."""
        old, new = _middle(self.old), _middle(self.new)
        return new / old if math.isfinite(old) and math.isfinite(new) and old * new > 0 else math.nan

    @property
    def group(self) -> tuple[object, ...]:
        """What is told in one line: repeats of a parameter, or neighbours on the signal's way, that moved one way."""
        name = without_digits(self.new.name) if self.new.quantity not in SCALES else ""
        return self.new.quantity, name, self.factor > 1, math.isnan(self.factor)


def _partner(entry: Entry, before: Sequence[Entry], after: Sequence[Entry]) -> Entry | None:
    if len(before) == len(after) == 1:
        return before[0]
    same = [old for old in before if old.name == entry.name]
    return next((old for old in same if old.scheme == entry.scheme), same[0] if len(same) == 1 else None)


def _between(old: Entry | None, new: Entry) -> Difference:
    if old is None:
        return Difference("nothing", "fail", notes=("the older result does not have this network under this init",))
    return difference(old, new)


def _held(entry: Entry, found: Difference) -> Entry:
    check = replace(entry.request.check, against=True)
    return compared(replace(entry, request=replace(entry.request, check=check), difference=found))


def _gone(entry: Entry) -> Entry:
    """Stands for a network that was measured once and is not any more."""
    told = Difference(
        f"{entry.name} · {entry.scheme}", "fail", notes=("the newer result does not have this network under this init",)
    )
    return _held(Entry(entry.name, entry.scheme, entry.request), told)


def _check_draws(old: Entry, new: Entry) -> None:
    lone = len(old.seeds) == len(new.seeds) == 1 and old.seeds != new.seeds
    if lone and not (old.one_draw or new.one_draw):
        raise UsageError(
            f"one seed on each side, and not the same one: {new.name} has no spread to judge a change by",
            hint="measure it with --seeds 5",
        )


def _pairs(old: Entry, new: Entry, names: Mapping[str, str], *, backward: bool) -> list[_Compared]:
    """Every number that both have, in the order of the newer one."""
    before = {(one.quantity, one.name): one for one in numbers(old, {}, backward=backward)}
    common = [(old.seeds.index(seed), place) for place, seed in enumerate(new.seeds) if seed in old.seeds]
    kept, now = shapes(old), shapes(new)
    called = {was: name for name, was in names.items()}
    found = []
    for one in numbers(new, names, backward=backward):
        was = before.get((one.quantity, one.name))
        if was is not None and kept[was.name] == now[called.get(one.name, one.name)]:
            own = replace(one, name=called.get(one.name, one.name))
            found.append(_Compared(was, own, _pair(was, one, common)))
    return found


def _pair(old: Number, new: Number, common: Sequence[tuple[int, int]]) -> Pair | None:
    """Both sides in the scale on which steps add up; None where a side has nothing that could be compared.

    Args:
        old: before.
        new: after.
        common: for each seed that both have, its place on either side.
    """
    if old.quantity == "mean":
        scale = max(_size(old.scale), _size(new.scale)) or 1.0
        sides = [number.values / scale for number in (old, new)]
    else:
        with np.errstate(divide="ignore"):
            sides = [np.log(number.values) for number in (old, new)]
    steps = [sides[1][after] - sides[0][before] for before, after in common if np.isfinite(sides[0][before])]
    before, after = (side[np.isfinite(side)] for side in sides)
    if not len(before) or not len(after):
        return None
    whole = np.array(steps, dtype=np.float64)
    return Pair(before, after, exact=old.quantity not in SCALES, steps=whole[np.isfinite(whole)])


def _families(pairs: Sequence[_Compared]) -> dict[tuple[str, tuple[int, ...]], tuple[float, int] | None]:
    """The variance over seeds of each family of parameters: repeats of one shape vary alike."""
    members: dict[tuple[str, tuple[int, ...]], list[Pair]] = {}
    for one in pairs:
        if one.new.quantity == "std" and one.pair is not None:
            members.setdefault(one.new.family, []).append(one.pair)
    return {family: pooled(found) for family, found in members.items()}


def _grouped(found: Sequence[_Compared]) -> tuple[Shift, ...]:
    """A line for each group; a parameter whose std changed does not tell its mean as well."""
    told = {one.new.name for one in found if one.new.quantity == "std"}
    groups: dict[tuple[object, ...], list[_Compared]] = {}
    for one in found:
        if one.new.quantity != "mean" or one.new.name not in told:
            groups.setdefault(one.group, []).append(one)
    order = {"std": 0, "mean": 0, "forward RMS": 1, "gradient RMS": 2}
    return tuple(map(_shift, sorted(groups.values(), key=lambda group: order[group[0].new.quantity])))


def _shift(group: Sequence[_Compared]) -> Shift:
    first, factors = group[0], [one.factor for one in group]
    return Shift(
        quantity=first.new.quantity,
        names=tuple(plain(one.new.name) for one in group),
        old=_middle(first.old),
        new=_middle(first.new),
        low=min(factors),
        high=max(factors),
        location=first.new.location,
    )


def _middle(number: Number) -> float:
    """The mean over seeds, of scales the geometric one; of nothing finite what it is."""
    finite = number.values[np.isfinite(number.values)]
    if not len(finite):
        return float(number.values[0])
    if number.quantity == "mean" or not (finite > 0).all():
        return float(finite.mean())
    return float(np.exp(np.log(finite).mean()))


def _kind(values: Array) -> str:
    """What a number is where it is no sample: all zero, or not finite."""
    finite = np.isfinite(values)
    return "sample" if (values[finite] > 0).any() else "zero" if finite.any() else "not finite"


def _size(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if len(finite) else 0.0


def _notes(old: Entry, new: Entry) -> tuple[str, ...]:
    """What was measured in another way, so that a reader does not look for it in the init."""
    return tuple(_otherwise(old, new))


def _otherwise(old: Entry, new: Entry) -> Iterator[str]:
    for what, before, after in (
        ("batch", old.batch, new.batch),
        ("dtype", old.dtype, new.dtype),
        ("mode", old.request.probe.mode, new.request.probe.mode),
        ("device", old.device, new.device),
    ):
        if before != after:
            yield f"measured otherwise: {what} {before} before, {after} now"
    if old.loss != new.loss:
        yield f"gradients are not compared: the loss was {old.loss}, and is {new.loss}"
