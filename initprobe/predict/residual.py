"""How a residual stream grows: x + s F(x), block after block.

``propagate`` follows a real network; these are the laws that it has to obey.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from initprobe.activations import moments
from initprobe.records import ActivationUse


@dataclass(frozen=True, slots=True)
class Stream:
    """A residual stream behind its last block.

    Attributes:
        second: its second moment.
        gradient: the squared gradient at its input over that at its end.
    """

    second: float
    gradient: float


def exponential_growth(blocks: int, branch_gain: float = 1.0, scale: float = 1.0) -> float:
    """E x_L² / E x_0² = (1 + s² g)^L: branches without normalization, each with the power g of what enters it.

    g = 1 for a branch that keeps its signal (He), so that the stream doubles per block; s = 1 / √L tames it to e
    (Hanin & Rolnick 2018, arXiv 1803.01719; Zhang et al. 2019, arXiv 1901.09321). A gate at zero (ReZero, SkipInit) is
    s = 0.
    """
    return (1.0 + scale**2 * branch_gain) ** blocks


def linear_growth(blocks: int, branch_variance: float = 1.0, scale: float = 1.0) -> float:
    """E x_L² = 1 + s² v L for a stream of second moment 1: branches that begin with a normalization.

    De & Smith 2020 (arXiv 2002.10444), section 3. The variance per channel over a batch grows by E f² - (E f)² instead,
    for the means that relu leaves behind are the same for all samples.
    """
    return 1.0 + scale**2 * branch_variance * blocks


def branch_share(block: int, branch_variance: float = 1.0) -> float:
    """The share of the stream's variance that the branch of a block (from 1) brings, v / (1 + v block)."""
    return branch_variance / (1.0 + branch_variance * block)


def normalized_gradient(blocks: int, branch_variance: float = 1.0, branch_rate: float = 1.0) -> float:
    """Squared gradient at the input over that at the end, for branches that begin with a normalization.

    Block l multiplies by 1 + rate · v / (1 + v l), the normalization dividing by the variance so far: polynomial in
    depth where a plain network is exponential (Yang et al. 2019, arXiv 1902.08129, section 4.3).
    """
    shares = (branch_variance / (1.0 + branch_variance * block) for block in range(blocks))
    return math.exp(math.fsum(math.log1p(branch_rate * share) for share in shares))


def mean_field_stream(  # noqa: PLR0913 - each is a variance of the paper
    use: ActivationUse,
    blocks: int,
    *,
    weight_variance: float,
    bias_variance: float = 0.0,
    branch_variance: float = 1.0,
    branch_bias_variance: float = 0.0,
    start: float = 1.0,
) -> Stream:
    """X + V f(W x + b) + a over many blocks (Yang & Schoenholz 2017, arXiv 1712.08969, theorems 1 and 7).

    With p = E x²: q = sigma_w² p + sigma_b², p' = p + sigma_v² E f(√q z)² + sigma_a², and the squared gradient grows by
    1 + sigma_v² sigma_w² E f'(√q z)² per block.

    Args:
        use: the activation.
        blocks: how many.
        weight_variance: sigma_w² of the first weight of a branch.
        bias_variance: sigma_b² of its bias.
        branch_variance: sigma_v² of the last weight.
        branch_bias_variance: sigma_a² of its bias.
        start: the second moment that enters.

    Raises:
        NotElementwiseError: the activation does not act on one number at a time.
        UsageError: it is unknown, or an option is.
    """
    second, gradient = start, 1.0
    for _ in range(blocks):
        q = weight_variance * second + bias_variance
        gradient *= 1.0 + branch_variance * weight_variance * moments.derivative_second_moment(use, q)
        second += branch_variance * moments.second_moment(use, q) + branch_bias_variance
    return Stream(second, gradient)


def pre_norm_bounds(block: int) -> tuple[float, float]:
    """Bounds of E ‖x‖² / d behind a pre-norm transformer's block (Xiong et al. 2020, arXiv 2002.04745, lemma 2)."""
    return 1.0 + 0.5 * block, 1.0 + 1.5 * block


POST_NORM_SECOND = 1.5
"""E ‖x‖² / d before the second normalization of a post-norm block: 1 and the relu branch's ½ (the same lemma)."""


def pre_norm_gradient(blocks: int, branch_variance: float = 1.0) -> float:
    """RMS gradient of the last block's weights against depth: 1 / √(1 + v L), what the last normalization divides by.

    A post-norm transformer divides by √1.5 whatever its depth, so that its last gradients are √L times larger (Xiong et
    al. 2020, theorem 1).
    """
    return 1.0 / math.sqrt(linear_growth(blocks, branch_variance))
