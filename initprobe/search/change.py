"""A change of an init that is worth a probe, and how it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from initprobe.check.naming import without_numbers
from initprobe.load.init_text import override_text
from initprobe.records import InitRequest, Override, SchemeChoice

ZEROS = SchemeChoice("zeros")
OWN_GAIN = SchemeChoice("variance_scaling")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An init to be probed.

    Attributes:
        init: the whole init with the change.
        summary: the change as it stands in a spec: ``init.default: kaiming_normal``.
        reason: why it may help.
        size: how much it changes: 1 for some layers, 2 for the default scheme, 3 for one that looks at data.
    """

    init: InitRequest
    summary: str
    reason: str
    size: int


def added(init: InitRequest, overrides: Sequence[Override], reason: str) -> Candidate:
    """The init with further overrides, which win over those that are there."""
    texts = ", ".join(map(override_text, overrides))
    changed = replace(init, overrides=(*init.overrides, *overrides))
    return Candidate(changed, f"init.overrides: {texts}", reason, 1)


def shell_pattern(names: Sequence[str], others: Sequence[str]) -> str | None:
    """One shell pattern that matches these names and none of the others; None where there is none."""
    if len(names) == 1:
        return None if any(mark in names[0] for mark in "*?[") else names[0]
    if len({without_numbers(name) for name in names}) > 1:
        return None
    columns = zip(*(name.split(".") for name in names), strict=True)
    pattern = ".".join(parts[0] if len(set(parts)) == 1 else "*" for parts in columns)
    return pattern if {name for name in others if fnmatchcase(name, pattern)} == set(names) else None
