"""Which scheme for which activation in which architecture: a table, and the numbers that decide it.

The table says what is recommended and why; whatever is a number is integrated from the activation when asked for.
Schemes are named as a user types them; none is imported, and there is no torch in here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from initprobe.activations import moments
from initprobe.activations.advice import ADVICE, ARCHITECTURES, HABITS, SIREN, Advice, Architecture
from initprobe.activations.base import ACTIVATIONS
from initprobe.activations.behaviour import Behaviour, behaviour, fate, kind_of
from initprobe.errors import UsageError
from initprobe.records import ActivationUse

OPEN = ("plain", "convolutional")
"""Architectures in which nothing holds the signal but the weights."""

SLOW = 100.0
"""Layers in which a gradient may change tenfold without a word."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to draw the weights of a network with.

    Attributes:
        activation: as text; ``none`` for a linear network.
        architecture: key of ``ARCHITECTURES``.
        scheme: as it is typed, ``kaiming_normal(negative_slope=0.2)``.
        gain: what the scheme multiplies 1 / √fan_in by behind this activation, None where it is no matter of a gain.
        reason: why.
        warnings: what will go wrong all the same, and habits that do not hold.
        alternatives: other schemes worth a probe, best first.
        sources: papers and equations.
    """

    activation: str
    architecture: Architecture
    scheme: str
    gain: float | None
    reason: str
    warnings: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


def recommend(activation: ActivationUse | str | None, architecture: Architecture = "plain") -> Recommendation:
    """What to draw the weights with.

    Args:
        activation: the one between the layers, with its options; None for a linear network.
        architecture: key of ``ARCHITECTURES``.

    Raises:
        UsageError: the activation, one of its options or the architecture is unknown, or no signal passes the
            activation.
    """
    if architecture not in ARCHITECTURES:
        raise UsageError(f"unknown architecture {architecture!r}", hint=f"one of {', '.join(ARCHITECTURES)}")
    use = ActivationUse(activation) if isinstance(activation, str) else activation
    if use is not None and (special := kind_of(use.name)) is None:
        return _measured(use, behaviour(use), architecture)
    if use is None:
        return _answer("none", ADVICE[architecture]["linear"], architecture, gain=1.0)
    advice = ADVICE[architecture][special or "joint"]
    if special == "gated":
        gain = moments.forward_gain(ActivationUse("sigmoid"))
        return _answer(str(use), advice, architecture, gain=gain, numbers={"forward": gain})
    return _answer(str(use), advice, architecture, gain=1.0)


def table(architecture: Architecture = "plain") -> Mapping[str, Recommendation]:
    """The recommendation for every activation of the registry, and for none at all, in one architecture."""
    names = (None, *ACTIVATIONS)
    return {name or "none": recommend(name, architecture) for name in names}


def recommended_for(scheme: str) -> Mapping[Architecture, tuple[str, ...]]:
    """The activations that the guide names a scheme for, whatever its options, by architecture.

    Args:
        scheme: its name, without options; no alias.
    """
    found: dict[Architecture, tuple[str, ...]] = {}
    for architecture in ARCHITECTURES:
        names = tuple(name for name, one in table(architecture).items() if one.scheme.partition("(")[0] == scheme)
        if names:
            found[architecture] = names
    return found


def _measured(use: ActivationUse, facts: Behaviour, architecture: Architecture) -> Recommendation:
    numbers = {
        "forward": facts.gain,
        "chi": facts.chi,
        "origin": 1.0 / facts.origin if facts.origin else math.inf,
        "slope": math.sqrt(max(2.0 / facts.gain**2 - 1.0, 0.0)),
        "batch_rate": facts.batch_rate,
        "drift": facts.drift,
    }
    advice = SIREN if architecture == "coordinate" and use.name == "sine" else ADVICE[architecture][facts.kind]
    gains = {"forward": facts.gain, "origin": numbers["origin"], "unit": 1.0, "none": None}
    plain_relu = numbers["slope"] < 1e-3
    found = _answer(str(use), advice, architecture, gain=gains[advice.gain], numbers=numbers, plain_relu=plain_relu)
    warnings = [*found.warnings, *_warnings(use, facts, architecture)]
    return replace(found, warnings=tuple(warnings))


def _answer(
    activation: str,
    advice: Advice,
    architecture: Architecture,
    *,
    gain: float | None,
    numbers: Mapping[str, float] | None = None,
    plain_relu: bool = True,
) -> Recommendation:
    """Advice with the numbers filled in."""
    shown = {key: f"{value:.6g}" for key, value in (numbers or {}).items()}

    def filled(text: str) -> str:
        return (text.replace("(negative_slope={slope})", "") if plain_relu else text).format_map(shown)

    return Recommendation(
        activation,
        architecture,
        filled(advice.scheme),
        gain if advice.gain != "none" else None,
        filled(advice.reason),
        tuple(filled(text) for text in advice.warnings),
        tuple(filled(text) for text in advice.alternatives),
        advice.sources,
    )


def _warnings(use: ActivationUse, facts: Behaviour, architecture: Architecture) -> list[str]:
    if architecture == "normalized":
        return _behind_a_norm(facts)
    if architecture not in OPEN:
        return []
    told = []
    if facts.kind == "drifting":
        told.append(
            f"no stable fixed point: an error of the second moment is multiplied by {facts.drift:.4g} per layer, so "
            "that a deep network without normalization loses its signal or blows it up; normalize, or measure and "
            "correct (lsuv)"
        )
    if facts.kind == "odd":
        told.append(
            f"the signal creeps towards zero, as the root of the depth; the gain {facts.gain:.5g} holds it at 1, and "
            f"then the squared gradient grows by {facts.chi:.4g} per layer"
        )
    elif (layers := tenfold(facts.chi)) < SLOW:
        told.append(
            f"the squared gradient is multiplied by {facts.chi:.4g} per layer: tenfold in RMS every {layers:.0f} layers"
            + ("; no gain mends that: normalize, or take another activation" if facts.chi < 0.5 else "")
        )
    if facts.dead:
        told.append("a unit that lies on the flat side for every input is silent, and gets no gradient")
    told += [_habit(use, name, squared) for name, squared in HABITS.get(use.name, {}).items() if not use.options]
    return told


def _behind_a_norm(facts: Behaviour) -> list[str]:
    if not 1.0 < facts.batch_rate < math.inf or tenfold(facts.batch_rate) >= SLOW:
        return []
    told = f"batch normalization multiplies the squared gradient by {facts.batch_rate:.5g} per layer (E f'² / Var f)"
    if tenfold(facts.chi) < SLOW:
        told += f", layer or RMS normalization before the activation by {facts.chi:.5g} (E f'² / E f²)"
    return [told + ": a deep network needs skip connections"]


def _habit(use: ActivationUse, name: str, gain_squared: float) -> str:
    """What a common but wrong gain does, layer after layer."""
    there = fate(use, gain_squared)
    what = {
        "settles": f"holds the second moment at {there.q:.4g}",
        "creeps": "lets the signal creep to zero, ever more slowly",
        "shrinks": f"multiplies the second moment by {there.rate:.3g} per layer in the end",
        "grows": f"makes the second moment grow by {there.rate:.3g} per layer in the end",
    }[there.ends]
    if there.ends == "settles":
        what += f", and multiplies the squared gradient by {there.chi:.4g} per layer"
    return f"{name} (gain² = {gain_squared:.4g}) {what}"


def tenfold(chi: float) -> float:
    """The number of layers over which a gradient's RMS changes tenfold; infinite at 1."""
    rate = abs(math.log(chi)) if chi > 0.0 else math.inf
    return 2.0 * math.log(10.0) / rate if rate > 0.0 else math.inf
