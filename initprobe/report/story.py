"""What a figure says in words: titles that tell what one sees, labels that tell who is who."""

from __future__ import annotations

from collections.abc import Sequence

from initprobe.records import Entry, Gain
from initprobe.report.numbers import plus_minus
from initprobe.report.phrases import row_names, shared_header
from initprobe.report.streams import Side, gain_of, longest_segment
from initprobe.report.visible import plot_text, visible

_RUNGS = {"residual": "join", "recurrent": "step"}
_SUBJECTS: dict[Side, str] = {"forward": "Forward: the signal", "backward": "Backward: the gradient"}


def figure_title(entries: Sequence[Entry]) -> str:
    """What was probed, and how often."""
    return plot_text(shared_header(entries))


def entry_names(entries: Sequence[Entry]) -> list[str]:
    """What tells the entries apart, short enough for a legend or a title."""
    return [plot_text(visible(name, 32)) for name in row_names(entries)[1]]


def curve_labels(entries: Sequence[Entry]) -> list[str]:
    """What tells the curves apart; a signal that only looks kept says so."""
    names = entry_names(entries)
    return [name + " (only biases)" * _only_biases(entry) for entry, name in zip(entries, names, strict=True)]


def panel_title(entries: Sequence[Entry], side: Side) -> str:
    """One sentence: what happens to the signal, or in how many of several cases it is kept."""
    if len(entries) == 1:
        return f"{_SUBJECTS[side]}{_happens(entries[0], side)}"
    gains = [(entry, _gain(entry, side)) for entry in entries]
    judged = [(entry, gain) for entry, gain in gains if gain and gain.status != "unjudged"]
    kept = [gain.status == "pass" and not (side == "forward" and _only_biases(entry)) for entry, gain in judged]
    return f"{_SUBJECTS[side]} is kept in {sum(kept)} of {len(kept)} cases" if kept else _SUBJECTS[side]


def _gain(entry: Entry, side: Side) -> Gain | None:
    segment = longest_segment(entry)
    return gain_of(segment, side) if segment else None


def _only_biases(entry: Entry) -> bool:
    segment = longest_segment(entry)
    return segment is not None and segment.bias_only


def _happens(entry: Entry, side: Side) -> str:
    segment, gain = longest_segment(entry), _gain(entry, side)
    if segment is None or gain is None or gain.status == "unjudged":
        return ""
    factor = f"×{plus_minus(gain.per_layer)} per {_RUNGS.get(segment.kind, 'layer')}"
    if side == "forward" and segment.bias_only:
        return f" is only the biases ({factor})"
    if gain.status == "pass":
        return f" keeps its scale ({factor})"
    if gain.status == "inconclusive":
        return f" is undecided ({factor})"
    return f" {'shrinks' if gain.per_layer.mean < 1 else 'grows'} {factor}"
