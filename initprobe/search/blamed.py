"""Small changes for findings that name the parameters to blame: these are drawn anew, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from initprobe.check.naming import without_numbers
from initprobe.load.init_text import override_text, scheme_text
from initprobe.records import (
    MULTIPLYING_ROLES,
    Entry,
    Estimate,
    Finding,
    InitRequest,
    Override,
    ParameterSummary,
    SchemeChoice,
)
from initprobe.search.change import OWN_GAIN, ZEROS, Candidate, added, shell_pattern

IDENTITY = SchemeChoice("torch_default")
"""One and zero, for a normalization's scale and shift."""
ONES = SchemeChoice("constant", (("value", 1.0),))

MOST = 6
"""Overrides that a change may consist of: beyond that, another default is the smaller one."""

TRUNCATED = "truncated_normal"

Family = Sequence[ParameterSummary]
"""Parameters of one shape whose names differ in their numbers alone."""

Remedy = Callable[[Entry, Family], SchemeChoice | None]


def blamed(entry: Entry, ills: Sequence[Finding]) -> Iterator[Candidate]:
    """Changes of the parameters that findings name, the smallest first.

    Args:
        entry: what was probed.
        ills: its findings that are to be healed.
    """
    for finding in ills:
        families = _families(parameters_of(entry, finding))
        for remedy, reason in REMEDIES.get(finding.rule.code, ()):
            drawn = [(family, choice) for family in families if (choice := remedy(entry, family)) is not None]
            # Two zeros in a row are a dead end, and one of them is meant: drawing the other is enough.
            parts = [[one] for one in drawn] if finding.rule.code == "IP508" and 1 < len(drawn) <= MOST else []
            for part in [*parts, drawn]:
                yield from _drawn_anew(entry, part, reason)
        if finding.rule.code == "IP512":
            yield from _cut_where_it_counts(entry.request.init)


def parameters_of(entry: Entry, finding: Finding) -> list[ParameterSummary]:
    """The parameters that a finding is about: those that it names or those of its layers; the head where it names none.

    Buffers are left out: no scheme draws them.
    """
    names = set(finding.parameters)
    if not names:
        sites = set(finding.sites)
        names = {one.site.weight for one in entry.sites if one.site.key in sites and one.site.weight is not None}
        if finding.rule.code == "IP510":
            names = {f"{name.rpartition('.')[0]}.bias".removeprefix(".") for name in names}
    if not names or finding.rule.code.startswith("IP7"):
        names |= {one.weight.name for one in entry.weights if one.weight.head and one.weight.role != "bias"}
    return [one for one in entry.weights if one.weight.name in names]


def _families(parameters: Sequence[ParameterSummary]) -> list[Family]:
    families: dict[tuple[str, tuple[int, ...]], list[ParameterSummary]] = {}
    for one in parameters:
        families.setdefault((without_numbers(one.weight.name), one.weight.shape), []).append(one)
    return list(families.values())


def _drawn_anew(entry: Entry, drawn: Sequence[tuple[Family, SchemeChoice]], reason: str) -> Iterator[Candidate]:
    """One change of these parameters, unless it is no small one or no few patterns tell them from the others."""
    matrices = sum(one.weight.role in MULTIPLYING_ROLES for one in entry.weights)
    anew = [one for family, choice in drawn if choice == OWN_GAIN for one in family]
    if 2 * len(anew) > matrices and all(choice == OWN_GAIN for _, choice in drawn):
        return
    everything = [one.weight.name for one in entry.weights]
    overrides = []
    for family, choice in drawn:
        globs = _patterns([one.weight.name for one in family], everything)
        if globs is None:
            return
        overrides += [Override(choice, glob=glob) for glob in globs]
    if 0 < len(overrides) <= MOST:
        yield added(entry.request.init, overrides, reason)


def _patterns(names: Sequence[str], others: Sequence[str]) -> list[str] | None:
    """Shell patterns that match these names and none of the others: one, one for each last number, or the names."""
    by_last: dict[str, list[str]] = {}
    for name in names:
        by_last.setdefault(next((part for part in reversed(name.split(".")) if part.isdigit()), ""), []).append(name)
    for groups in ([names], by_last.values(), [[name] for name in names]):
        found = [shell_pattern(group, others) for group in groups]
        globs = [glob for glob in found if glob is not None]
        if len(globs) == len(found):
            return globs
    return None


def _cut_where_it_counts(init: InitRequest) -> Iterator[Candidate]:
    """Truncated normals without the ends that cut nothing off."""

    def cut(choice: SchemeChoice) -> SchemeChoice:
        kept = tuple(option for option in choice.options if option[0] not in {"a", "b"})
        return replace(choice, options=kept) if choice.name == TRUNCATED else choice

    reason = "its ends are standard deviations, and cut something off at two of them"
    if init.default is not None and cut(init.default) != init.default:
        default = cut(init.default)
        yield Candidate(replace(init, default=default), f"init.default: {scheme_text(default)}", reason, 2)
    for place, override in enumerate(init.overrides):
        if (changed := replace(override, scheme=cut(override.scheme))) != override:
            overrides = (*init.overrides[:place], changed, *init.overrides[place + 1 :])
            summary = f"init.overrides[{place}]: {override_text(changed)}"
            yield Candidate(replace(init, overrides=overrides), summary, reason, 1)


def _own_gain(_entry: Entry, family: Family) -> SchemeChoice | None:
    return OWN_GAIN if family[0].weight.role in MULTIPLYING_ROLES else None


def _zeros(_entry: Entry, family: Family) -> SchemeChoice | None:
    return ZEROS if family[0].weight.role in {*MULTIPLYING_ROLES, "bias"} else None


def _identity(_entry: Entry, family: Family) -> SchemeChoice | None:
    """What changes nothing of what it meets: a scale of one, a shift of zero."""
    weight = family[0].weight
    if weight.role in MULTIPLYING_ROLES:
        return OWN_GAIN
    if weight.role == "bias":
        return ZEROS
    if weight.role == "embedding":
        return _normal(1.0)
    return IDENTITY if weight.role == "norm" else ONES if len(weight.shape) < 2 else None


def _same_width(_entry: Entry, family: Family) -> SchemeChoice | None:
    return None if (std := _std(family)) is None else _normal(std)


def _like_its_kind(entry: Entry, family: Family) -> SchemeChoice | None:
    """As wide as the other parameters whose names differ in their numbers alone."""
    names = {one.weight.name for one in family}
    kin = next((kin for kin in _families(entry.weights) if family[0] in kin), ())
    others = [one for one in kin if one.weight.name not in names]
    return _same_width(entry, others) if others else None


def _by_branches(entry: Entry, family: Family) -> SchemeChoice | None:
    """As wide as it is, divided by the root of the number of branches on the main stream."""
    many = sum(branch.within is None for branch in entry.branches)
    std = _std(family) if all(one.weight.tail for one in family) else None  # others are scaled without an end there
    return None if std is None or not many else _normal(std / math.sqrt(many))


def _logits_of_one(_entry: Entry, family: Family) -> SchemeChoice | None:
    """A table that is the head as well: by its width, which is the head's fan-in."""
    weight = family[0].weight
    return _normal(weight.shape[-1] ** -0.5) if weight.role == "embedding" else None


def _normal(std: float) -> SchemeChoice:
    return SchemeChoice("normal", (("std", float(f"{std:.3g}")),))


def _std(family: Family) -> float | None:
    """Of all of them, None where it is zero or unknown."""
    found = [one.value.get("std") for one in family]
    known = [std.mean for std in found if isinstance(std, Estimate) and 0.0 < std.mean < math.inf]
    return math.sqrt(math.fsum(std**2 for std in known) / len(known)) if known and len(known) == len(found) else None


_HEAD = (
    (_own_gain, "logits as large as what the head reads"),
    (_logits_of_one, "the table is the head, whose fan-in is its width"),
    (_zeros, "a head that starts at zero has the loss of chance"),
)
_ANEW = (_own_gain, "its units have to differ")
REMEDIES: Mapping[str, Sequence[tuple[Remedy, str]]] = {
    "IP303": (_ANEW,),
    "IP501": ((_identity, "nothing was drawn there"),),
    "IP502": ((_same_width, "every copy gets numbers of its own, as wide as before"),),
    "IP503": (_ANEW,),
    "IP504": ((_identity, "a normalization starts as the identity"),),
    "IP507": ((_like_its_kind, "as wide as the others of its kind"),),
    "IP508": ((_own_gain, "one of two factors has to differ from zero"),),
    "IP509": ((_by_branches, "what ends a branch is divided by the root of their number, as GPT-2 does"),),
    "IP510": ((_zeros, "its biases are as large as the signal"),),
    "IP511": ((_logits_of_one, "the table is the head, whose fan-in is its width"),),
    "IP701": _HEAD,
    "IP702": _HEAD,
    "IP703": _HEAD,
}
"""By rule: what to draw the parameters with that it blames, one change after the other, and why."""
