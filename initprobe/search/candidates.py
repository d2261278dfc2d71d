"""Which inits are worth a probe where a check found something that a fresh draw may heal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from initprobe.activations import moments
from initprobe.activations.guide import recommend
from initprobe.errors import UsageError
from initprobe.init.choose import parse_scheme
from initprobe.load.init_text import override_text, scheme_text
from initprobe.records import Entry, Estimate, Finding, Override, ParameterSummary, SchemeChoice
from initprobe.search.architecture import activations_of, architecture_of
from initprobe.search.blamed import blamed
from initprobe.search.change import OWN_GAIN, ZEROS, Candidate, added, shell_pattern

GENERAL = ("variance_scaling", "kaiming_normal", "orthogonal", "xavier_normal", "lecun_normal")
RESIDUAL = ("zero_init_residual", "branch_scaling", "rezero", "fixup")
LAST = "lsuv"
"""It looks at data: what it draws is right for this batch, and nothing can be written down as a formula."""

MOST = 12
"""Candidates that are probed at all."""

NEAR, OFF = 3.0, 5.0
"""Where most weights lie within the first factor of their own gain (torch's draws do, at 0.41 behind a rectifier), one
that is beyond the second factor from them is blamed."""

LARGE_BIAS = 0.3
"""The root mean square beyond which biases are no longer small beside a signal of size 1."""


def candidates(entry: Entry, ills: Sequence[Finding] = ()) -> tuple[Candidate, ...]:
    """What to try for a network that was probed, at most ``MOST`` of them, small changes first.

    Args:
        entry: what the probe found, with its weights and its residual branches.
        ills: those of its findings that are to be healed.
    """
    now = entry.request.init
    found = [*_other_overrides(entry), *blamed(entry, ills), *_off_scale(entry), *_large_biases(entry)]
    tried = {now.default}
    for text, reason in _schemes(entry):
        choice = parse_scheme(text)
        if choice in tried:
            continue
        tried.add(choice)
        size = 3 if choice.name == LAST else 2
        found.append(
            Candidate(replace(now, default=choice), f"init.default: {scheme_text(choice)}", reason, size),
        )
    unique = list({one.init: one for one in reversed(found)}.values())[::-1]
    if len(unique) <= MOST:
        return tuple(unique)
    return (*unique[: MOST - 1], unique[-1])


def _schemes(entry: Entry) -> Iterator[tuple[str, str]]:
    """Schemes for all weights, the recommended ones first, and why."""
    architecture = architecture_of(entry)
    others: list[tuple[str, str]] = []
    for use in activations_of(entry)[:2] or (None,):
        try:
            advice = recommend(use, architecture)
        except UsageError:  # no signal passes this activation, or nothing is known of it
            continue
        yield advice.scheme, advice.reason
        others += [(text, f"recommended for {use or 'linear layers'}, too") for text in advice.alternatives]
    if entry.branches:
        yield from ((text, "holds the sum of the residual branches down") for text in RESIDUAL)
    yield from ((text, reason) for text, reason in others if text != LAST)
    yield from ((text, "keeps signals in many networks") for text in GENERAL)
    yield LAST, "scales every layer by what it puts out on a batch"


def _other_overrides(entry: Entry) -> Iterator[Candidate]:
    """One of the overrides that are there with another scheme in it."""
    init = entry.request.init
    for place, override in enumerate(init.overrides):
        biases = _drawn_roles(entry, override.scheme) <= {"bias"}
        scheme = ZEROS if biases else init.default or OWN_GAIN
        if scheme == override.scheme:
            continue
        changed = replace(override, scheme=scheme)
        overrides = (*init.overrides[:place], changed, *init.overrides[place + 1 :])
        yield Candidate(
            replace(init, overrides=overrides),
            f"init.overrides[{place}]: {override_text(changed)}",
            f"instead of {override.scheme}",
            1,
        )


def _drawn_roles(entry: Entry, scheme: SchemeChoice) -> set[str]:
    drawn = {one.weight for one in entry.outcome.drawn if one.scheme == str(scheme)} if entry.outcome else set()
    return {one.weight.role for one in entry.weights if one.weight.name in drawn}


def _off_scale(entry: Entry) -> Iterator[Candidate]:
    """A few weights whose size is not that of their own gain, while that of the others is."""
    ratios = {one.weight.name: ratio for one in entry.weights if (ratio := _ratio(one)) is not None}
    if len(ratios) < 2:
        return
    middle = sorted(ratios.values())[len(ratios) // 2]
    off = [name for name, ratio in ratios.items() if abs(math.log(ratio / middle)) > math.log(OFF)]
    if not 0 < len(off) * 2 < len(ratios) or abs(math.log(middle)) > math.log(NEAR):
        return
    glob = shell_pattern(off, list(ratios))
    if glob is not None:
        told = f"{ratios[off[0]]:.3g} times the size of its own gain, where the others have {middle:.3g}"
        yield added(entry.request.init, [Override(OWN_GAIN, glob=glob)], told)


def _ratio(summary: ParameterSummary) -> float | None:
    """How large a weight is, by its own gain: √(fan_in · E w² · E f²)."""
    weight, rms = summary.weight, summary.value.get("rms")
    if weight.role not in {"linear", "conv", "depthwise", "transposed"} or not weight.fan_in or weight.tail:
        return None
    if not isinstance(rms, Estimate) or not 0.0 < rms.mean < math.inf:
        return None
    try:
        passed = 1.0 if weight.input_activation is None else moments.second_moment(weight.input_activation)
    except UsageError:
        passed = 1.0
    return rms.mean * math.sqrt(weight.fan_in * passed) if passed > 0.0 else None


def _large_biases(entry: Entry) -> Iterator[Candidate]:
    """Biases that are as large as the signal."""
    biases = [one for one in entry.weights if one.weight.role == "bias" and len(one.weight.shape) == 1]
    large = [
        one.weight.name
        for one in biases
        if isinstance(rms := one.value.get("rms"), Estimate) and not rms.mean <= LARGE_BIAS  # NaN is large, too
    ]
    glob = shell_pattern(large, [one.weight.name for one in biases]) if large else None
    if glob is not None:
        yield added(entry.request.init, [Override(ZEROS, glob=glob)], "its biases are as large as the signal")
