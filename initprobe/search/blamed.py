"""Small changes for findings that name the parameters to blame: these are drawn anew, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from initprobe.load.init_text import override_text, scheme_text
from initprobe.records import Entry, Estimate, Finding, InitRequest, Override, ParameterSummary, Role, SchemeChoice
from initprobe.search.architecture import MATRICES
from initprobe.search.change import OWN_GAIN, ZEROS, Candidate, added, shell_pattern, without_numbers

IDENTITY = SchemeChoice("torch_default")
"""One and zero, for a normalization's scale and shift."""
ONES = SchemeChoice("constant", (("value", 1.0),))

MOST = 6
"""Overrides that a change may consist of: beyond that, another default is the smaller one."""

TRUNCATED = "truncated_normal"

Remedy = Callable[[Entry, ParameterSummary], SchemeChoice | None]


def blamed(entry: Entry, ills: Sequence[Finding]) -> Iterator[Candidate]:
    """Changes of the parameters that findings name, the smallest first.

    Args:
        entry: what was probed.
        ills: its findings that are to be healed.
    """
    for finding in ills:
        for remedy, reason in REMEDIES.get(finding.rule.code, ()):
            wanted = {
                one.weight.name: choice
                for one in parameters_of(entry, finding)
                if (choice := remedy(entry, one)) is not None
            }
            groups = _groups(wanted)
            # Two zeros in a row are a dead end, and one of them is meant: drawing the other is enough.
            parts = groups if finding.rule.code == "IP508" and 1 < len(groups) <= MOST else []
            for part in [*parts, list(wanted)]:
                yield from _drawn_anew(entry, {name: wanted[name] for name in part}, reason)
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


def _groups(names: Mapping[str, SchemeChoice]) -> list[list[str]]:
    """Names that differ in their numbers alone and get the same, in their order."""
    groups: dict[tuple[str, SchemeChoice], list[str]] = {}
    for name, choice in names.items():
        groups.setdefault((without_numbers(name), choice), []).append(name)
    return list(groups.values())


def _drawn_anew(entry: Entry, wanted: Mapping[str, SchemeChoice], reason: str) -> Iterator[Candidate]:
    """One change of these parameters, unless it is no small one or no few patterns tell them from the others."""
    matrices = {one.weight.name for one in entry.weights if one.weight.role in MATRICES}
    own = [name for name in wanted if wanted[name] == OWN_GAIN and name in matrices]
    if 2 * len(own) > len(matrices) and len(own) == len(wanted):
        return
    names = [one.weight.name for one in entry.weights]
    overrides = []
    for group in _groups(wanted):
        pattern = shell_pattern(group, names)
        globs = [shell_pattern([name], names) for name in group] if pattern is None else [pattern]
        overrides += [Override(wanted[group[0]], glob=glob) for glob in globs if glob is not None]
    if 0 < len(overrides) <= MOST:
        yield added(entry.request.init, overrides, reason)


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


def _own_gain(_entry: Entry, one: ParameterSummary) -> SchemeChoice | None:
    return OWN_GAIN if one.weight.role in MATRICES else None


def _zeros(_entry: Entry, one: ParameterSummary) -> SchemeChoice | None:
    return ZEROS if one.weight.role in {*MATRICES, "bias"} else None


def _identity(_entry: Entry, one: ParameterSummary) -> SchemeChoice | None:
    """What changes nothing of what it meets: a scale of one, a shift of zero."""
    role: Role = one.weight.role
    if role in MATRICES:
        return OWN_GAIN
    if role == "bias":
        return ZEROS
    if role == "embedding":
        return _normal(1.0)
    return IDENTITY if role == "norm" else ONES if len(one.weight.shape) < 2 else None


def _same_width(_entry: Entry, one: ParameterSummary) -> SchemeChoice | None:
    return None if (std := _std(one)) is None else _normal(std)


def _by_branches(entry: Entry, one: ParameterSummary) -> SchemeChoice | None:
    """As wide as it is, divided by the root of the number of branches on the main stream."""
    many = sum(branch.within is None for branch in entry.branches)
    std = _std(one)
    return None if std is None or not many else _normal(std / math.sqrt(many))


def _logits_of_one(_entry: Entry, one: ParameterSummary) -> SchemeChoice | None:
    """A table that is the head as well: by its width, which is the head's fan-in."""
    return _normal(one.weight.shape[-1] ** -0.5) if one.weight.role == "embedding" else None


def _normal(std: float) -> SchemeChoice:
    return SchemeChoice("normal", (("std", float(f"{std:.3g}")),))


def _std(one: ParameterSummary) -> float | None:
    std = one.value.get("std")
    return std.mean if isinstance(std, Estimate) and 0.0 < std.mean < math.inf else None


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
    "IP507": ((_own_gain, "the others of its kind are drawn by another law"),),
    "IP508": ((_own_gain, "one of two factors has to differ from zero"),),
    "IP509": ((_by_branches, "what ends a branch is divided by the root of their number, as GPT-2 does"),),
    "IP510": ((_zeros, "its biases are as large as the signal"),),
    "IP511": ((_logits_of_one, "the table is the head, whose fan-in is its width"),),
    "IP701": _HEAD,
    "IP702": _HEAD,
    "IP703": _HEAD,
}
"""By rule: what to draw the parameters with that it blames, one change after the other, and why."""
