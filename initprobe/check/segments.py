"""Streams become segments: the gain of the signal, of the gradient and of the distance between inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from initprobe.check.bands import Band
from initprobe.check.fit import SHORTEST_RUN, Basis, Walk
from initprobe.check.interval import estimate
from initprobe.check.signals import Array, Direction, Mask, Signals
from initprobe.records import Anatomy, Estimate, Gain, Segment, Site, Status, Stream, StreamKind, Weight

NOTHING = Estimate(math.nan, math.nan, math.nan)
ZERO = Estimate(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Judging:
    """How gains are judged.

    Attributes:
        thresholds: the limits in force.
        basis: where the interval comes from.
        confidence: its level.
        again: whether it is about what was found before, so that no stream is one of many.
        family: how many streams are judged in the same network. Forward and backward are no more chances than one
            stream has: each is accused on one side of a two-sided interval.
    """

    thresholds: Mapping[str, float]
    basis: Basis
    confidence: float
    again: bool = False
    family: int = 1

    def band(self, direction: Direction, kind: StreamKind) -> Band:
        """The limits of one direction along one kind of stream."""
        return Band.of(self.thresholds, direction, kind)


def fit_segments(anatomy: Anatomy, signals: Signals, judging: Judging) -> tuple[Segment, ...]:
    """A segment for every stream of at least four sites whose RMS was measured."""
    site_of = {site.key: site for site in anatomy.sites}
    streams = [
        stream
        for stream in anatomy.streams
        if len(stream.sites) >= SHORTEST_RUN and not np.isnan(signals.at(stream.sites, "rms")).all()
    ]
    together = replace(judging, family=1 if judging.again else max(1, len(streams)))
    return tuple(
        _StreamFit(stream, [site_of[key] for key in stream.sites], anatomy, signals, together).segment()
        for stream in streams
    )


def first_zero(rms: Array) -> tuple[int, int] | None:
    """Where a signal dies: the first site (column) at which it is exactly 0 behind one where it was not.

    Args:
        rms: RMS in the direction of travel, shape (seeds, sites); nan where it was not measured.

    Returns:
        The column, earliest over the seeds, and the number of seeds in which the signal dies; None when it never does.
    """
    alive_before = np.maximum.accumulate(rms > 0, axis=1)
    dead = (rms == 0) & alive_before
    seeds = dead.any(axis=1)
    return (int(dead.argmax(axis=1)[seeds].min()), int(seeds.sum())) if seeds.any() else None


def held(rms: Array) -> Mask:
    """The sites whose RMS is finite and not 0 in every seed: those that a fit can use."""
    return np.asarray((np.isfinite(rms) & (rms > 0)).all(axis=0), dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class _StreamFit:
    """One stream with everything that its gains are read off."""

    stream: Stream
    sites: Sequence[Site]
    anatomy: Anatomy
    signals: Signals
    judging: Judging

    def segment(self) -> Segment:
        """The stream's gains."""
        run = self.run()
        keys = tuple(site.key for site in run)
        forward = self.gain(run, "forward")
        pair = self.pair_walk(run)
        return Segment(
            kind=self.stream.kind,
            label=f"{keys[0]} … {keys[-1]}",
            sites=keys,
            forward=forward,
            backward=self.backward(run),
            pair=None if pair is None else pair.per_layer(self.judging.basis),
            cosine=self.cosine(keys[-1]),
            bias_only=forward.status == "pass" and pair is not None and self.collapses(pair, len(run) - 1),
        )

    def run(self) -> Sequence[Site]:
        """The sites that are judged: all but a tail that says nothing about depth.

        A zero-initialized last weight is a correct head or branch tail. Any other head (the model's last weight, with
        no activation behind it) has the task's width and often a scale of its own; it is left out where four sites
        remain, for a jump at one site is not a drift. What stands behind the zero end of a branch (the gates of
        squeeze-and-excitation) is zero with it.
        """
        zeros = (index for index, site in enumerate(self.sites) if self.ends_branch_in_zero(site))
        sites = self.sites[: next(zeros, 0) or len(self.sites)]
        tail = sites[-1]
        weight = self.weight_of(tail)
        ends = self.stream.ends_model and tail is self.sites[-1]
        is_head = ends and weight is not None and weight.output_activation is None
        left_out = (is_head and len(sites) > SHORTEST_RUN) or self.signals.is_zero(tail.weight)
        return sites[:-1] if left_out else sites

    def ends_branch_in_zero(self, site: Site) -> bool:
        """Whether the last weight of a residual branch puts out nothing because it is zero, or what scales it is."""
        weight = self.weight_of(site)
        if weight is None or not weight.tail or (self.signals.rms([site.key], "forward") != 0).any():
            return False
        factors = [one.name for one in self.anatomy.weights if one.module == weight.module and one.role != "bias"]
        return any(self.signals.is_zero(name) for name in factors)

    def weight_of(self, site: Site) -> Weight | None:
        """The weight whose operation made a site's value."""
        return next((weight for weight in self.anatomy.weights if weight.name == site.weight), None)

    def gain(self, run: Sequence[Site], direction: Direction) -> Gain:
        """The gain along a run, in the order in which the signal travels."""
        travelled = list(run) if direction == "forward" else list(reversed(run))
        rms = self.signals.rms([site.key for site in travelled], direction)
        usable = held(rms)
        walk = self.walk(travelled, rms, usable)
        fitted = None if walk is None else self.judged(walk, direction)
        death = first_zero(rms)
        if death is not None:
            return _dying(fitted, everywhere=2 * death[1] >= len(rms), fades=self.band(direction).fades)
        if fitted is not None:
            return fitted
        if (rms == 0).all():
            return self.unjudged(self.silence(direction))
        return self.unjudged(f"only {usable.sum()} of {len(run)} sites hold finite values other than 0 in every seed")

    def judged(self, walk: Walk, direction: Direction) -> Gain:
        """A walk's gain against the limits of its direction."""
        return walk.gain(self.band(direction), self.judging.basis, self.confidence, self.judging.family)

    def backward(self, run: Sequence[Site]) -> Gain | None:
        """The gain of the gradient from the output to the input, None where too few sites have one."""
        reached = [site for site in run if self.signals.has_gradient(site.key)]
        if len(reached) < SHORTEST_RUN or np.isnan(self.signals.at([s.key for s in reached], "rms", "backward")).all():
            return None
        forward = self.signals.rms([site.key for site in run], "forward")
        death = first_zero(forward)
        if death is not None:
            seeds = f" in {death[1]} of {len(forward)} seeds" if death[1] < len(forward) else ""
            return self.unjudged(f"the forward signal is exactly 0 from {run[death[0]].key} on{seeds}")
        if (forward == 0).all():
            return self.unjudged(self.silence("forward"))
        return self.gain(reached, "backward")

    def silence(self, direction: Direction) -> str:
        """Why a signal is exactly 0 at every site of the run."""
        if direction == "forward":
            return "the signal is exactly 0 from its first site on"
        last_weighted = [site for site in self.anatomy.sites if site.weight is not None][-1:]
        for site in (self.sites[-1], *last_weighted):
            if self.signals.is_zero(site.weight):
                return f"the zero-initialized {site.weight} lets no gradient through before its first update"
        return "every gradient along it is exactly 0"

    def walk(self, run: Sequence[Site], rms: Array, usable: Mask) -> Walk | None:
        """The usable part of a run, None where it is too short to fit."""
        if usable.sum() < SHORTEST_RUN:
            return None
        units = np.array([np.nan if site.units is None else site.units for site in run], dtype=np.float64)
        return Walk(np.flatnonzero(usable).astype(np.float64), np.log(rms[:, usable]), units[usable])

    def pair_walk(self, run: Sequence[Site]) -> Walk | None:
        """The distance between two inputs' signals, as far as it stands above the rounding of the values themselves.

        Where biases drown the input, the distance falls to the last digit of the values and stays there.
        """
        keys = [site.key for site in run]
        distance, rms = self.signals.at(keys, "pair_distance"), self.signals.rms(keys, "forward")
        resolved = (np.isfinite(rms) & (distance > 4.0 * self.signals.epsilon(keys) * rms)).all(axis=0)
        until = len(keys) if resolved.all() else int(resolved.argmin())
        return self.walk(run, distance, resolved & (np.arange(len(keys)) < until))

    def collapses(self, pair: Walk, layers: int) -> bool:
        """Whether the distance between inputs falls beyond the error limit, carried on over that many layers."""
        slowest = pair.slope_interval(self.judging.basis, self.confidence).high
        return slowest * layers < -self.band("forward").error

    def cosine(self, key: str) -> Estimate | None:
        """The mean cosine between two inputs' signals at one site, None where it was not measured."""
        values = self.signals.at([key], "cosine")[:, 0]
        return None if np.isnan(values).all() else estimate(values.tolist())

    def band(self, direction: Direction) -> Band:
        """The limits of one direction."""
        return self.judging.band(direction, self.stream.kind)

    @property
    def confidence(self) -> float:
        """The level of the judged interval."""
        return self.judging.confidence

    def unjudged(self, reason: str) -> Gain:
        """No gain, and why."""
        return Gain(NOTHING, NOTHING, "unjudged", self.judging.basis, self.confidence, reason=reason)


def _dying(fitted: Gain | None, *, everywhere: bool, fades: bool) -> Gain:
    """The gain of a signal that becomes exactly 0: an error without an interval.

    In a minority of the seeds (a narrow ReLU layer whose units are all silent) it is a warning, so that a verdict does
    not hang on one unlucky seed; and where shrinking is no more than that (``fades``).
    """
    worst: Status = "warning" if fades else "error"
    beyond = fitted is not None and fitted.status in {"warning", "error"}
    if fitted is not None and beyond and (not everywhere or fitted.drift.high < 1):
        # The fit explains the death, or is what most seeds show.
        return replace(fitted, drift=ZERO, status=worst, more=None) if everywhere else fitted
    if everywhere:
        return Gain(ZERO, ZERO, worst)
    return Gain(NOTHING, NOTHING, "warning") if fitted is None else replace(fitted, status="warning")
