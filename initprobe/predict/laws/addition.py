"""Sums: of two signals, whose second moments add, and of a signal and a shift.

A residual branch that ends in weights of mean zero is independent of its skip path (Yang & Schoenholz 2017,
arXiv 1712.08969, section 3); what both have in common is the product of their means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.marginal import Marginal, Unread, opened
from initprobe.predict.moments import Gradient, Moments, NoPredictionError
from initprobe.predict.sums import shifted
from initprobe.records import ActivationUse, Argument


@law
class Addition(Law):
    """``x + y`` and ``x - y``, with torch's ``alpha``, and shifts."""

    names = ("add", "sub", "rsub")

    def forward(self, call: Call) -> Moments:
        """Its moments."""
        left, right, times = self._terms(call)
        known, other = call.moments(left), call.moments(right)
        if left == right:
            return known.rescaled((1.0 + times) ** 2)
        other = other.scaled(times**2) if times != 1.0 else other
        sign = 1.0 if times > 0.0 else -1.0
        return _sum(known, other, sign)

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """The same gradient to both; a term that was spread over others gathers what they got."""
        left, right, times = self._terms(call)
        if left == right:
            return {call.step.sources[0]: gradient.scaled((1.0 + times) ** 2)}
        given: dict[int, Gradient] = {}
        for term, factor in ((left, 1.0), (right, times)):
            for source in call.step.sources:
                if getattr(term, "step", None) == source:
                    back = gradient.scaled(factor**2 * call.share(source))
                    other = right if term is left else left
                    back = replace(back, profile=_profile(call, gradient.passed, term, other))
                    given[source] = back.plus(given.get(source))
        return given

    def _terms(self, call: Call) -> tuple[Argument, Argument, float]:
        given = call.given("input", "other")
        left, right, alpha = given.get("input"), given.get("other"), given.get("alpha", 1.0)
        if not isinstance(alpha, (int, float)):
            raise NoPredictionError("a term is scaled by a tensor")
        if call.step.name == "rsub":
            left, right = right, left
        sign = 1.0 if call.step.name == "add" else -1.0
        return left, right, sign * float(alpha)


def _profile(call: Call, use: ActivationUse | None, term: Argument, other: Argument) -> tuple[float, ...]:
    """How E f'(x + y)² depends on x, for a term x that is not normal and a term y that is."""
    if use is None:
        return ()
    known, rest = call.moments(term), call.moments(other)
    if known.marginal is None or rest.marginal is not None:
        return ()
    marginal = known.marginal.read()
    return () if marginal.variance > 0.0 else opened(use, marginal, rest.mean, rest.second - rest.mean**2)


def _sum(known: Moments, other: Moments, sign: float) -> Moments:
    """Two independent terms; the one that is not normal tells how the sum is distributed."""
    total = shifted(known, Moments(other.second, other.position, other.pair, other.both, sign * other.mean))
    if total.second <= 0.0:
        return total
    part, rest = known.second / total.second, other.second / total.second
    return replace(
        total,
        spread=known.spread * part**2 + other.spread * rest**2,
        marginal=_with(known.marginal, other, sign) or (_with(other.marginal, known, 1.0) if sign > 0.0 else None),
    )


def _with(marginal: Marginal | Unread | None, other: Moments, sign: float) -> Marginal | None:
    return None if marginal is None else marginal.read().plus(sign * other.mean, other.second - other.mean**2)
