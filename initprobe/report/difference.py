"""What changed since an earlier measurement, as people read it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from initprobe.records import Difference, Entry, Shift
from initprobe.report.diagnostic import Line, location_text
from initprobe.report.layers import fold
from initprobe.report.numbers import number, plural
from initprobe.report.phrases import Tone
from initprobe.report.visible import visible

_SHOWN = 12
"""How many lines of one kind are shown before the rest is only counted."""

_SAME = 1.005
"""Factors that differ by less read as one."""


def difference_lines(entry: Entry, *, brief: bool = False) -> list[Line]:
    """The lines about one entry's difference, as coloured pieces; none where it was not compared.

    Args:
        entry: what was compared.
        brief: whether what changed is told elsewhere, as findings.
    """
    found = entry.difference
    if found is None:
        return []
    about = f"{visible(entry.name)} · {visible(entry.scheme)}"
    if found.verdict == "pass":
        return [(("init unchanged", "pass"), (f": {about}, {_evidence(found)}", "plain")), *_remarks(found)]
    tone: Tone = "error" if entry.verdict == "fail" else "warning"
    head: Line = (("init changed", tone), (f": {about}, {_evidence(found)}", "title"))
    if brief:
        return [head, *_remarks(found)]
    told = [*_shifts(found.shifts), *_names("only before", found.missing), *_names("only now", found.added)]
    return [head, *told, *_names("another shape or dtype", found.reshaped), *_remarks(found)]


def difference_phrase(entry: Entry) -> str:
    """``init changed: std of blocks.0–11.proj.weight ×4.90``, or that it did not; empty without a comparison."""
    found = entry.difference
    if found is None:
        return ""
    if found.verdict == "pass":
        return "init unchanged"
    first = next(iter(found.shifts), None)
    if first is not None:
        return f"init changed: {first.quantity} of {_label(first.names)} {_step(first)}"
    counted = [(len(found.missing), "gone"), (len(found.added), "new"), (len(found.reshaped), "of another shape")]
    told = ", ".join(f"{total} {what}" for total, what in counted if total)
    return f"init changed: {told or visible(' '.join(found.notes), 1000)}"


def changes(entries: Sequence[Entry]) -> str:
    """``1 of 2 inits changed``, for summaries; empty where nothing was compared."""
    compared = [entry.difference for entry in entries if entry.difference is not None]
    failed = sum(found.verdict == "fail" for found in compared)
    return f"{failed} of {plural(len(compared), 'init')} changed" if compared else ""


def _evidence(found: Difference) -> str:
    old, new = found.seeds
    numbers = plural(found.compared, "number")
    text = f"{numbers} compared with {visible(found.against)}, {new} against {plural(old, 'seed')}"
    if math.isfinite(found.resolution) and found.resolution > 1:
        text += f"; a new std is seen from ×{found.resolution:.2f} on"
    return text


def _shifts(shifts: Sequence[Shift]) -> list[Line]:
    shown = [(one.quantity, _label(one.names), _step(one)) for one in shifts[:_SHOWN]]
    wide, wider, widest = (max((len(row[place]) for row in shown), default=0) for place in (0, 1, 2))
    lines: list[Line] = []
    for (quantity, label, step), one in zip(shown, shifts, strict=False):
        place = f"   {location_text(one.location)}" if one.location is not None else ""
        lines.append(
            (
                (f"  {quantity:<{wide}}   {label:<{wider}}   ", "plain"),
                (f"{step:<{widest if place else 0}}", "error"),
                (place, "dim"),
            )
        )
    return [*lines, *_more(len(shifts) - _SHOWN)]


def _step(one: Shift) -> str:
    """``0.0884 → 0.0972  ×1.10``; the range of factors where they differ."""
    ends = f"{number(one.old)} → {number(one.new)}"
    if math.isnan(one.low):
        return ends
    factors = f"×{number(one.low)}"
    return f"{ends}  {factors}" + (f" … ×{number(one.high)}" if one.high > one.low * _SAME else "")


def _label(names: Sequence[str]) -> str:
    folds = [found.label for found in fold(names, [None] * len(names))]
    return ", ".join(folds[:2]) + (f" and {len(names)} in all" if len(folds) > 2 else "")


def _names(what: str, names: Sequence[str]) -> list[Line]:
    folds = [found.label for found in fold(names, [None] * len(names))]
    lines: list[Line] = [((f"  {what}: ", "error"), (label, "plain")) for label in folds[:_SHOWN]]
    return [*lines, *_more(len(folds) - _SHOWN)]


def _remarks(found: Difference) -> list[Line]:
    """What is no change."""
    renamed = fold([new for _, new in found.renamed], [None] * len(found.renamed))
    lines: list[Line] = []
    for one in renamed[:_SHOWN]:
        first = found.renamed[one.members[0]][0]
        lines.append((("  renamed: ", "info"), (f"{visible(first)} → {one.label}", "plain")))
    lines += _more(len(renamed) - _SHOWN)
    return [*lines, *((("  note: ", "info"), (visible(note, 1000), "plain")) for note in found.notes)]


def _more(rest: int) -> list[Line]:
    return [((f"  and {rest} more (the json format has all)", "dim"),)] if rest > 0 else []
