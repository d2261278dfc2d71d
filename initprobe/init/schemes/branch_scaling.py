"""Residual branches divided by the root of their number, so that the stream's variance is bounded at any depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from initprobe.init.branches import check_branches, ended_branch, is_scale, level_count, silent_scale
from initprobe.init.distributions import constant, normal
from initprobe.init.fans import Gain, Mode, UndrawableError, scaled_std
from initprobe.init.schemes.base import KEPT, Filled, Scheme, SchemeCard, Treatment, register
from initprobe.init.standardized import UNSEEN, standardizes
from initprobe.records import Branch, Role, Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class BranchScaling(Scheme):
    """The last weights of every branch times L^(-1/2), or the scale of the normalization behind them."""

    card = SchemeCard(
        name="branch_scaling",
        family="residual",
        summary="the last weights of every residual branch times 1 / √L, for a stream that is bounded in depth",
        formula="W ~ N(0, gain² / fan) with the gain of the activation before it, times L^(-1/2) in the last weights "
        "of a branch; gamma = L^(-1/2) where a normalization ends it; biases 0. L branches on the same stream",
        assumes="branches whose output is as large as their input: without a normalization the stream's variance is "
        "then (1 + 1/L)^L < e instead of 2^L, and 2 instead of L + 1 behind one",
        when="for deep residual networks with or without normalization, where zero branches are not wanted",
        reference="Balduzzi et al. 2017 (arXiv 1702.08591); Hanin & Rolnick 2018 (arXiv 1803.01719), on residual "
        "networks; Zhang et al. 2019 (arXiv 1903.07120), why L^(-1/2) and no more; Hayou et al. 2021, Stable ResNet "
        "(arXiv 2010.12859)",
        aliases=("stable_resnet",),
    )
    treatments: ClassVar[Mapping[Role, Treatment]] = {"norm": "draw"}

    exponent: float = Field(0.5, ge=0.0, description="branches are divided by L to this power")
    gain: Gain = Field("auto", description="auto: that of the activation before the weight, √2 behind a rectifier")
    mode: Mode = Field("fan_in", description="fan_in keeps the signal, fan_out the gradient, fan_avg meets halfway")

    def check_network(self, network: Network) -> None:
        """Make sure that there are residual branches.

        Raises:
            UsageError: there are none.
        """
        check_branches(network, "branch_scaling")

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """One matrix, or the scale of a normalization.

        Raises:
            UndrawableError: it has no fan, or the normalization ends no branch.
        """
        if weight.role == "norm":
            ended = ended_branch(weight, network)
            if ended is None or not is_scale(weight, network):
                raise UndrawableError(KEPT["norm"])
            scale = silent_scale(weight, network) + self._share(ended, network)
            return Filled(constant(weight.shape, scale), 0.0)
        std = scaled_std(weight, self.mode, self.gain)
        branch = network.branch(weight)
        if weight.tail and branch is not None and branch.norm is None:
            std *= self._share(branch, network)
            note = UNSEEN if standardizes(weight, network) else None
            return Filled(normal(variates, weight.shape, std), std, note=note)
        return Filled(normal(variates, weight.shape, std), std)

    def remarks(self, network: Network) -> Sequence[str]:
        """Branches that something else scales once more."""
        gated = sum(branch.gate is not None for branch in network.anatomy.branches)
        return (f"{gated} branches have a gate, which scales them once more and is kept",) if gated else ()

    def _share(self, branch: Branch, network: Network) -> float:
        return float(level_count(network, branch) ** -self.exponent)
