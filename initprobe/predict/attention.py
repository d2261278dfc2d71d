"""Attention at initialization: what averaging over tokens leaves of them.

With small logits every token attends to all alike. Where tokens have the correlation rho, the average of T of them has
the second moment rho + (1 - rho) / T, and what comes out is nearly one token, T times (Dong et al. 2021,
arXiv 2103.03404; Noci et al. 2022, arXiv 2206.03126).
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one sequence.

    Attributes:
        second: second moment of a coordinate.
        correlation: cosine of two tokens.
    """

    second: float
    correlation: float


def attended(tokens: Tokens, length: int, *, logit_variance: float = 0.0, value_gain: float = 1.0) -> Tokens:
    """Tokens behind one softmax attention with random projections.

    The logits of a query are normal with variance tau² (1 - rho) around their mean, tau² = ``logit_variance`` times the
    square of the tokens' second moment; those of two queries have the correlation rho. So the squared weights of a
    query sum to exp(tau² (1 - rho)) / T, and the products of two queries' weights to exp(rho tau² (1 - rho)) / T, while
    that is far below 1 (log-normal means). Both take tokens for independent draws around their mean: true of the first
    layer and of a stream with skips; without skips tokens that have collapsed once are not, and what is left of their
    distance is told to an order of magnitude only.

    Args:
        tokens: those that enter.
        length: how many there are, T.
        logit_variance: variance of a logit for independent tokens of second moment 1; 1 for unit-variance projections
            and 1 / √d, 0 for uniform attention.
        value_gain: what value and output projection multiply the second moment by together.
    """
    rho, own = tokens.correlation, 1.0 - tokens.correlation
    spread = logit_variance * tokens.second**2 * own
    square = rho + own * min(math.exp(spread) / length, 1.0)
    shared = rho + own * min(math.exp(rho * spread) / length, 1.0)
    return Tokens(value_gain * tokens.second * square, shared / square)


def with_skip(tokens: Tokens, branch: Tokens, scale: float = 1.0) -> Tokens:
    """Tokens behind x + s attention(x), whose branch is uncorrelated with the stream, as random projections make it."""
    second = tokens.second + scale**2 * branch.second
    shared = tokens.second * tokens.correlation + scale**2 * branch.second * branch.correlation
    return Tokens(second, shared / second)


def uniform_variance(length: int, correlation: float = 0.0) -> float:
    """What uniform attention leaves of the tokens' second moment, rho + (1 - rho) / T."""
    return correlation + (1.0 - correlation) / length


def packed_value_gain(*, own_output: bool = True) -> float:
    """Second moment behind torch's MultiheadAttention over that of its input, for one token: ½ · ⅓.

    Its in_proj is one Xavier-uniform matrix of 3 E rows, variance 1 / 2E in place of 1 / E; out_proj keeps
    ``nn.Linear``'s 1 / 3E.

    Args:
        own_output: whether out_proj is there; without it, ½.
    """
    return 1.0 / 6.0 if own_output else 0.5
