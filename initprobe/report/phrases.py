"""The sentences about an entry that every human-readable format shares."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import Literal

from initprobe.records import SEVERITIES, Entry, Finding
from initprobe.report.layers import Fold, fold
from initprobe.report.numbers import count, plural, ranges
from initprobe.report.outcome import outcome_lines
from initprobe.report.visible import visible

Tone = Literal["plain", "title", "dim", "error", "warning", "info", "pass"]
"""What a piece of text means, for formats that have colours."""

_SHOWN = 20
"""How many modules that were not seen are named before the rest is only counted."""


def header(entry: Entry) -> str:
    """``deep_mlp · xavier_normal · 3.5 M parameters · 5 seeds × batch 256 · float32 · cpu``, and its loss."""
    parts = [visible(entry.name), visible(entry.scheme)]
    if entry.failure is None:
        parts += [
            f"{count(entry.parameters)} parameters",
            _sampling([entry]),
            visible(entry.dtype),
            visible(entry.device),
            *_losses(entry),
        ]
    return " · ".join(parts)


def shared_header(entries: Sequence[Entry]) -> str:
    """What all entries of a comparison that ran have in common."""
    ran = [entry for entry in entries if entry.failure is None]
    if not ran:
        return f"{plural(len(entries), 'target')}, none could be probed"
    parts = [
        _common(visible(entry.name) for entry in ran),
        _common(visible(entry.scheme) for entry in ran),
        _common(f"{count(entry.parameters)} parameters" for entry in ran),
        _sampling(ran),
        _common(visible(entry.dtype) for entry in ran),
        _common(visible(entry.device) for entry in ran),
        _common(" · ".join(_losses(entry)) for entry in ran),
    ]
    return " · ".join(part for part in parts if part)


def row_names(entries: Sequence[Entry]) -> tuple[str, list[str]]:
    """What tells the entries apart, with a head for its column: the scheme, the target, or both."""
    schemes, names = [visible(entry.scheme) for entry in entries], [visible(entry.name) for entry in entries]
    if len(set(zip(names, schemes, strict=True))) < len(entries):
        # Targets that are called alike: what was typed tells them apart, or else their places do.
        typed = [visible(entry.request.target.text) for entry in entries]
        pairs = [f"{text} · {scheme}" for text, scheme in zip(typed, schemes, strict=True)]
        return "target", [
            pair if pairs.count(pair) == 1 else f"{pair} ({pairs[:place].count(pair) + 1})"
            for place, pair in enumerate(pairs)
        ]
    if len(set(names)) <= 1:
        return "scheme", schemes
    head = "point" if len({entry.request.target.sets for entry in entries}) > 1 else "target"
    if len(set(schemes)) <= 1:
        return head, names
    return f"{head} · scheme", [f"{name} · {scheme}" for name, scheme in zip(names, schemes, strict=True)]


def titles(entries: Sequence[Entry]) -> list[str]:
    """What the entries are called where each stands on its own: the target, or what tells equal ones apart."""
    names = [visible(entry.name) for entry in entries]
    return names if len(set(names)) == len(names) else row_names(entries)[1]


def active(entries: Iterable[Entry]) -> list[Finding]:
    """The findings that count."""
    return [finding for entry in entries for finding in entry.findings if finding.suppressed is None]


def tally(findings: Sequence[Finding]) -> str:
    """``2 errors, 1 warning``, or ``no findings``."""
    severities = [finding.severity for finding in findings]
    counted = [(severities.count(severity), severity) for severity in reversed(SEVERITIES)]
    nouns = {"info": "note"}
    return ", ".join(plural(total, nouns.get(noun, noun)) for total, noun in counted if total) or "no findings"


def counts(entry: Entry) -> str:
    """``2 errors, 1 warning, 1 suppressed``."""
    suppressed = sum(finding.suppressed is not None for finding in entry.findings)
    return tally(active([entry])) + (f", {suppressed} suppressed" if suppressed else "")


def summary_line(entries: Sequence[Entry]) -> str:
    """``2 errors, 1 warning in 1 target · seeds 0–4``."""
    ran = [entry for entry in entries if entry.failure is None]
    parts = [f"{tally(active(entries))} in {plural(len(ran), 'target')}"]
    failed = len(entries) - len(ran)
    if failed:
        parts.append(f"{plural(failed, 'target')} could not be probed")
    suppressed = sum(finding.suppressed is not None for entry in entries for finding in entry.findings)
    if suppressed:
        parts.append(f"{suppressed} suppressed")
    changed = sum(entry.difference is not None and entry.difference.verdict == "fail" for entry in ran)
    if changed:
        parts.append(f"{plural(changed, 'init')} changed")
    undecided = sum(entry.verdict == "inconclusive" for entry in ran)
    if undecided:
        parts.append(f"{plural(undecided, 'verdict')} inconclusive")
    if ran:
        parts.append(_seeds(ran))
    return " · ".join(parts)


def verdict_phrase(entry: Entry) -> tuple[str, Tone]:
    """``FAIL IP101 IP201``, ``pass (1 warning)``, ``inconclusive``."""
    if entry.failure is not None:
        return "could not be probed", "error"
    findings = [finding for finding in active([entry]) if finding.severity != "info"]
    if entry.verdict == "fail":
        codes = dict.fromkeys(visible(finding.rule.code) for finding in findings)
        return " ".join(["FAIL", *codes]), "error"
    if entry.verdict is None:
        return "not judged", "dim"
    phrase = f"{entry.verdict} ({tally(findings)})" if findings else entry.verdict
    return phrase, "info" if entry.verdict == "inconclusive" else "warning" if findings else "pass"


def coverage_lines(entry: Entry) -> list[str]:
    """What the probe saw, and by name what it did not."""
    coverage = entry.coverage
    lines = [
        f"{coverage.called} of {plural(coverage.modules, 'leaf module')} seen, {plural(coverage.sites, 'call site')}"
    ]
    gaps = [visible(gap.reason) for gap in coverage.unseen]
    lines += _listed("never called", fold(coverage.uncalled, [None] * len(coverage.uncalled)))
    for reason in dict.fromkeys(gaps):
        paths = [gap.path for gap, why in zip(coverage.unseen, gaps, strict=True) if why == reason]
        lines += _listed(f"not measured ({reason})", fold(paths, [None] * len(paths)))
    return lines


def notes(entry: Entry) -> list[str]:
    """What a reader must know beside the numbers."""
    return [*(visible(note, 1000) for note in entry.notes), *outcome_lines(entry)]


def check_command(entry: Entry) -> list[str]:
    """How to judge what was measured; nothing where the target cannot be typed."""
    target = entry.request.target
    words = [target.text, *(word for key, value in target.sets for word in ("--set", f"{key}={value}"))]
    words += [word for text in target.inputs for word in ("--input", text)]
    words += [word for path in target.paths for word in ("--path", path)]
    words += ["--batch-from", target.batch_from] if target.batch_from is not None else []
    words += ["--weights", target.weights] if target.weights is not None else []
    words += entry.request.typed
    words += ["--allow-code"] if target.allow_code else []
    typed = target.text and all(visible(word, len(word)) == word for word in words)
    return [f"initprobe check {shlex.join(words)}"] if typed else []


def explain_command(entries: Sequence[Entry]) -> list[str]:
    """Where to read about the first of the most severe findings; nothing where there is none."""
    worst = max(active(entries), key=lambda finding: SEVERITIES.index(finding.severity), default=None)
    return [f"initprobe explain {visible(worst.rule.code)}"] if worst else []


def _sampling(entries: Sequence[Entry]) -> str:
    if all(entry.one_draw for entry in entries):
        seeds = "one draw"
    else:
        totals = sorted({len(entry.seeds) for entry in entries if not entry.one_draw})
        seeds = plural(totals[0], "seed") if len(totals) == 1 else f"{totals[0]}–{totals[-1]} seeds"
        seeds += " or one draw" * any(entry.one_draw for entry in entries)
    batch = _common(f"batch {entry.batch}" for entry in entries)
    return f"{seeds} × {batch}" if batch else seeds


def _losses(entry: Entry) -> list[str]:
    """What the gradient is of; nothing where it is that of a random cotangent, as usual."""
    if entry.loss in ("gaussian", "none"):
        return []
    return ["own loss" if entry.loss == "own" else f"loss {visible(entry.loss)}"]


def _seeds(entries: Sequence[Entry]) -> str:
    if all(entry.one_draw for entry in entries):
        return "one draw"
    drawn = [seed for entry in entries if not entry.one_draw for seed in entry.seeds]
    return f"seeds {ranges(drawn)}" + " or one draw" * any(entry.one_draw for entry in entries)


def _common(texts: Iterable[str]) -> str:
    distinct = set(texts)
    return distinct.pop() if len(distinct) == 1 else ""


def _listed(what: str, folds: Sequence[Fold]) -> list[str]:
    more = len(folds) - _SHOWN
    names = ", ".join(found.label for found in folds[:_SHOWN])
    return [f"{what}: {names}" + (f" and {more} more (the json format names all)" if more > 0 else "")] if folds else []
