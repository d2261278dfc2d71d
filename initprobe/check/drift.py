"""A drift beyond its limits, put into words: what the four vanishing and exploding rules have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from initprobe.check import wording
from initprobe.check.bands import Band, Side, log_interval
from initprobe.check.case import Case
from initprobe.check.expected import explain
from initprobe.check.segments import first_zero, held
from initprobe.check.signals import Array, Direction
from initprobe.check.undecided import gains_of
from initprobe.records import Finding, Gain, Segment, Severity, StreamKind

NOUNS: dict[Direction, str] = {"forward": "forward RMS", "backward": "gradient RMS"}


def drifts(case: Case, direction: Direction, side: Side) -> Iterator[Finding]:
    """A finding for every segment whose drift lies beyond its limits on that side, or whose signal dies."""
    for segment in case.facts.segments:
        gain = dict(gains_of(segment)).get(direction)
        if gain is None or gain.status not in {"warning", "error"}:
            continue
        keys = _travelled(case, segment, direction)
        rms = case.facts.signals.rms(keys, direction)
        levels = Band.of(case.facts.thresholds, direction, segment.kind).levels(*log_interval(gain), side)
        if gain.per_layer.mean > 0 and levels and "pass" not in levels:
            yield _gradual(case, segment, direction, side, keys, rms)
        elif side == "shrinks" and (death := first_zero(rms)) is not None:
            yield _abrupt(case, segment, direction, keys[death[0] :], death[1])


def describe(gain: Gain, seeds: int, kind: StreamKind = "pre-activation") -> str:
    """The gain per layer, or per step, with the origin of its interval."""
    layer, rung = gain.per_layer, wording.rung(kind)
    bounds = f"[{wording.gain(layer.low)}, {wording.gain(layer.high)}]"
    text = f"{wording.gain(layer.mean)} per {rung}, 95 % CI {bounds}, "
    return text + (
        wording.count(seeds, "seed") if gain.basis == "seeds" else f"one draw: interval from the spread over {rung}s"
    )


def _gradual(
    case: Case, segment: Segment, direction: Direction, side: Side, keys: Sequence[str], rms: Array
) -> Finding:
    """The finding of a fitted gain."""
    gain, kind = dict(gains_of(segment))[direction], segment.kind
    severity: Severity = "error" if gain.status == "error" else "warning"
    factor = case.facts.thresholds[f"{direction}_drift.{severity}"]
    layers = len(keys) if gain.drift.mean == 0 else _fitted_layers(rms)
    rung = wording.rung(kind)
    return case.finding(
        f"{NOUNS[direction]} {side} ×{wording.gain(gain.per_layer.mean)} per {rung} over {layers} {rung}s"
        f"{_route(kind, direction)} ({_ends(rms)})",
        severity=severity,
        sites=keys,
        label=f"{wording.span(keys)} ({len(keys)} {rung}s{_crossing(keys, rms, factor, side)})",
        measured=f"{describe(gain, case.seeds, kind)}; drift ×{wording.gain(gain.drift.mean)} over {layers} {rung}s, "
        f"{severity} beyond ×{wording.limit(factor)} ({wording.allowed(factor, layers - 1)} per {rung})",
        expected=explain(case, gain, direction, keys, rung),
    )


def _route(kind: StreamKind, direction: Direction) -> str:
    """Which way a gradient goes."""
    if direction == "forward":
        return ""
    return ", last to first" if kind == "recurrent" else ", output to input"


def _abrupt(case: Case, segment: Segment, direction: Direction, keys: Sequence[str], seeds: int) -> Finding:
    """The finding of a signal that is there at one site and exactly 0 at the next."""
    gain = dict(gains_of(segment))[direction]
    noun = "the forward signal" if direction == "forward" else "the gradient"
    return case.finding(
        f"{noun} is exactly 0 from {keys[0]} on",
        severity="error" if gain.status == "error" else "warning",
        sites=keys,
        label=f"{wording.span(keys)} ({wording.count(len(keys), wording.rung(segment.kind))})"
        if len(keys) > 1
        else None,
        measured=f"RMS 0 in {seeds} of {wording.count(case.seeds, 'seed')}; not 0 at the site before",
    )


def _travelled(case: Case, segment: Segment, direction: Direction) -> tuple[str, ...]:
    """The sites of a segment in the order in which the signal passes them."""
    if direction == "forward":
        return segment.sites
    return tuple(key for key in reversed(segment.sites) if case.facts.signals.has_gradient(key))


def _fitted_layers(rms: Array) -> int:
    """From the first to the last site that the fit could use, both counted."""
    usable = np.flatnonzero(held(rms))
    return int(usable[-1] - usable[0]) + 1


def _finite_means(rms: Array) -> tuple[Array, NDArray[np.intp]]:
    """The mean RMS over seeds wherever it is finite, from the first site on at which it is not 0, and those columns."""
    columns = np.flatnonzero(np.isfinite(rms).all(axis=0))
    means = rms[:, columns].mean(axis=0)
    start = int((means > 0).argmax())
    return means[start:], columns[start:]


def _ends(rms: Array) -> str:
    """The RMS at the first and at the last site that has a finite one, and what became of it after that."""
    means, columns = _finite_means(rms)
    lost = ", then not finite" if np.isinf(rms[:, columns[-1] + 1 :]).any() else ""
    return f"{wording.size(float(means[0]))} → {wording.size(float(means[-1]))}{lost}"


def _crossing(keys: Sequence[str], rms: Array, factor: float, side: Side) -> str:
    """The first site at which the mean RMS has left its first value by that factor."""
    means, columns = _finite_means(rms)
    ratio = means / means[0]
    passed = np.flatnonzero(ratio < 1 / factor if side == "shrinks" else ratio > factor)
    if len(passed) == 0:
        return ""
    word, bound = ("below", 1 / factor) if side == "shrinks" else ("above", factor)
    return f", first {word} {wording.limit(bound)}: {keys[columns[passed[0]]]}"
