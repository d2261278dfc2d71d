"""What a suggestion changes, and the text to paste."""

from __future__ import annotations

from initprobe.records import Entry, Report
from initprobe.report.phrases import Tone, verdict_phrase
from initprobe.report.visible import visible, visible_lines

_LONG = 2000


def change_lines(report: Report) -> list[tuple[str, Tone]]:
    """Every change in its order with what was measured, then how the first verified one is written down."""
    changed = [entry for entry in report.entries if entry.change is not None]
    lines: list[tuple[str, Tone]] = []
    for place, entry in enumerate(changed, 1):
        lines += _told(place, entry)
    best = next((entry.change for entry in changed if entry.change is not None and entry.change.verified), None)
    if best is not None:
        where = "paste this, and call it once the model is built:" if best.python else "in the spec:"
        lines += [("", "plain"), (where, "dim")]
        lines += [(line, "plain") for line in visible_lines(best.python or best.yaml)]
    return lines


def _left(entry: Entry) -> str:
    codes = dict.fromkeys(visible(one.rule.code) for one in entry.findings if one.suppressed is None)
    return f"finds {' '.join(codes)}" if codes else "finds nothing on these seeds alone"


def _told(place: int, entry: Entry) -> list[tuple[str, Tone]]:
    change = entry.change
    if change is None:
        return []
    phrase, tone = verdict_phrase(entry)
    if entry.verdict == "pass":  # what nobody fails by may be all that there was
        phrase = f"the check passes, and {_left(entry)}"
    measured = f"verified: {visible(change.verified, _LONG)}" if change.verified else f"not verified: {phrase}"
    lines: list[tuple[str, Tone]] = [
        (f"{place}. {visible(change.summary, _LONG)}    {measured}", "pass" if change.verified else tone)
    ]
    return [*lines, (f"   {visible(change.reason, _LONG)}", "dim")] if change.reason else lines
