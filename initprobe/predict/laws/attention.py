"""Attention before any training: scores are small, so that every query mixes all the values it sees.

E (Σ a v)² = E Σ a² E v² + (1 - E Σ a²) E v v'. With n visible keys E Σ a² is c / n, where c says how much more than
evenly normal scores mix: e^s for scores of variance s and many keys (Dong et al. 2021, arXiv 2103.03404; Noci et al.
2022, arXiv 2206.03126, section 3), less for few (``initprobe/predict/softmax.py``).
"""

from __future__ import annotations

from collections.abc import Mapping

from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.mixing import Scores, mixed, scores, through_scores, unmixed
from initprobe.predict.moments import Gradient, Moments, NoPredictionError
from initprobe.records import Signal


@law
class Attention(Law):
    """Scores, softmax and the mixing of values, in one call or written out."""

    crosses = True
    names = ("scores",)
    effects = ("attention",)

    def forward(self, call: Call) -> Moments:
        """The values, mixed."""
        if call.step.name == "scores":
            raise NoPredictionError("it lies inside an attention, which is followed as a whole")
        if len(call.step.args) < 3:
            raise NoPredictionError("nothing tells what it mixes")
        query, key, value = (call.moments(argument) for argument in call.step.args[:3])
        return mixed(call.step.pattern, value, scores_of(call, query, key))

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """To each value what its queries got, and to queries and keys what comes back through the scores."""
        if call.step.name == "scores":
            return {}
        query, key, value = call.step.args[:3]
        operands = (call.moments(query), call.moments(key), call.moments(value))
        found = scores_of(call, operands[0], operands[1])
        pattern = call.step.pattern
        backs = (*through_scores(pattern, gradient, operands, found), unmixed(pattern, gradient, found))
        given: dict[int, Gradient] = {}
        for source, back in zip((query, key, value), backs, strict=True):
            if isinstance(source, Signal):
                given[source.step] = back.plus(given.get(source.step))
        return given


def scores_of(call: Call, query: Moments, key: Moments) -> Scores:
    """How the scores mix.

    Raises:
        NoPredictionError: the scores vary too much, or nothing tells how they are made.
    """
    pattern = call.step.pattern
    if "row" not in pattern:
        raise NoPredictionError("nothing tells how it mixes")
    return scores(query, key, pattern, pattern["width"], pattern["scale"])
