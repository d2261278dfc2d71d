"""Residual streams: what each branch adds, and the law by which the variance grows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from initprobe.check.interval import estimate
from initprobe.check.signals import Array, Signals
from initprobe.check.wording import span
from initprobe.records import Anatomy, Branch, Growth, ResidualBlock, ResidualStream

STEADY = 1.1
"""A variance that changes by less over a whole stream is constant."""

SHORTEST = 3
"""Two points lie on every law."""


def residual_streams(anatomy: Anatomy, signals: Signals) -> tuple[ResidualStream, ...]:
    """Every residual stream with its blocks; joins that no stream goes through are streams of their own."""
    of_join: dict[str, list[Branch]] = {}
    for branch in anatomy.branches:
        if branch.join is not None:
            of_join.setdefault(branch.join, []).append(branch)
    chains = [stream.sites for stream in anatomy.streams if stream.kind == "residual"]
    chained = {key for chain in chains for key in chain}
    chains += [(key,) for key in of_join if key not in chained]
    order = {site.key: site.order for site in anatomy.sites}
    streams = []
    for chain in sorted(chains, key=lambda keys: order.get(keys[0], 0)):
        keys = [key for key in chain if key in of_join]
        blocks = tuple(block for key in keys for block in _blocks(key, of_join[key], signals))
        if blocks:
            # Behind a projection both operands are new; the stream is carried on from the next join on.
            carried = keys[1:] if of_join[keys[0]][0].skip == "projection" else keys
            streams.append(ResidualStream(span(keys), blocks, growth_of(signals.at(carried, "std"))))
    return tuple(streams)


def _blocks(join: str, branches: Sequence[Branch], signals: Signals) -> Iterator[ResidualBlock]:
    with np.errstate(over="ignore"):
        variance = estimate((signals.at([join], "std")[:, 0] ** 2).tolist())
    for branch in branches:
        ratio = None
        if branch.end is not None and branch.beside is not None:
            ends = signals.at([branch.end, branch.beside], "std")
            with np.errstate(divide="ignore", invalid="ignore"):
                shares = ends[:, 0] / ends[:, 1]
            ratio = None if np.isnan(shares).all() else estimate(shares.tolist())
        yield ResidualBlock(branch.index, branch.block, join, ratio, variance)


def growth_of(std: Array) -> Growth | None:
    """The law that the variance follows along a stream.

    Both laws are fitted to what they describe (a line to the variance, a line to its logarithm); the one that leaves
    less in the logarithm is told.

    Args:
        std: standard deviation at each join, shape (seeds, joins).
    """
    if std.shape[1] < SHORTEST:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = 2.0 * np.log(std).mean(axis=0)
    if not np.isfinite(logs).all():
        return None
    logs = logs - logs[0]
    steps = np.arange(logs.size, dtype=np.float64)
    total = math.exp(min(float(logs[-1]), 700.0))
    if np.ptp(logs) < math.log(STEADY):
        return Growth("constant", 1.0, total)
    start, rate = _line(steps, logs, np.ones_like(logs))
    relative = np.exp(np.clip(logs, -300.0, 300.0))
    # Relative errors count, or the last joins alone would decide.
    first, slope = _line(steps, relative, 1.0 / relative)
    line = first + slope * steps
    if (line > 0).all() and _left(logs, np.log(line)) <= _left(logs, start + rate * steps):
        return Growth("linear", slope, total)
    return Growth("exponential", math.exp(min(rate, 700.0)), total)


def _line(x: Array, y: Array, weights: Array) -> tuple[float, float]:
    """Intercept and slope of the weighted least squares line."""
    share = (weights / weights.max()) ** 2
    share /= share.sum()
    middle, height = float(share @ x), float(share @ y)
    spread = float(share @ (x - middle) ** 2)
    slope = float(share @ ((x - middle) * (y - height))) / spread if spread > 0 else 0.0
    return height - slope * middle, slope


def _left(logs: Array, fitted: Array) -> float:
    return float(((logs - fitted) ** 2).sum())
