"""How different the tokens of one sequence still are: their distance from all being one.

The residual of a matrix of tokens is what is left of it when their mean is taken from each (Dong, Cordonnier & Loukas
2021, "Attention is not all you need", arXiv:2103.03404, section 2: res(X) = X - 1 x^T, here in the Frobenius norm, for
which the mean is the best x). Relative to the matrix it is 0 where all tokens are the same, and sqrt(1 - 1/T) for T
tokens that have nothing to do with each other.
"""

import math

import torch

from initprobe.measure.reductions import Reduction, Result, View
from initprobe.measure.statistics.base import Statistic, statistic

SAMPLES, TOKENS, FEATURES = 4, 32, 1024
"""How much is looked at: evenly spaced tokens of the first samples, and their first features."""


def has_tokens(view: View) -> bool:
    """Whether the site is on a signal's way and shows a sequence: samples first, features last, tokens between them."""
    shape, batch = view.tensor.shape, view.batch
    return (
        view.on_stream and view.unit_axis == -1 and len(shape) > 2 and shape[0] == batch and math.prod(shape[1:-1]) > 1
    )


def token_residual(view: View) -> Result:
    """``[||X - mean|| / ||X||]``, the root of its mean square over samples; NaN where a value is not finite.

    A sample that is zero throughout has no direction to keep, and is left out.
    """
    tensor = view.tensor.resolve_conj()
    rows = tensor[:SAMPLES, ..., :FEATURES].flatten(1, -2)
    chosen = rows[:, :: -(-rows.shape[1] // TOKENS)]
    if chosen.is_complex():
        chosen = torch.view_as_real(chosen).flatten(2)
    chosen = chosen.cpu().double() if chosen.device.type == "mps" else chosen.double()
    # Each sample in units of its largest value: squares of 1e-200 or 1e200 stay in range.
    peak = chosen.abs().amax((1, 2), keepdim=True)
    chosen = chosen / torch.where(peak > 0, peak, 1.0)
    apart = chosen - chosen.mean(1, keepdim=True)
    share = apart.square().sum((1, 2)) / chosen.square().sum((1, 2))
    found = share.nanmean().sqrt()
    found = torch.where(torch.isfinite(peak).all(), found, math.nan).reshape(1)
    return found.tolist() if found.device.type == "cpu" else found


statistic(
    Statistic(
        "token_residual",
        "what is left of a sample's tokens without their mean, as a fraction of its norm",
        Reduction("token_residual", token_residual, has_tokens),
        lambda residual: residual[0],
        frozenset(["forward"]),
        core=False,
    )
)
