"""Depth-muP: learning rates that stay right when a residual network is made wider and deeper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.errors import UsageError
from initprobe.init.distributions import constant, draw
from initprobe.init.fans import UndrawableError, scaled_std
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.init.widths import TIED, Extent, WidthOptions, check_width, learning_rate, readout_shrinkage, width_of
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class DepthMuP(WidthOptions, Scheme):
    """muP, with branches and their updates divided by the root of the number of branches."""

    card = SchemeCard(
        name="depth_mup",
        family="width",
        summary="muP, with residual branches and their updates divided by √L",
        formula="x + f(x) / √L over L branches, L relative to the reference; the factor is put into the last weight of "
        "the branch, or into the normalization at its end; everything else as in mup; learning rates of mup times, "
        "with Adam, 1 / L for what carries the factor and 1 / √L for the rest of the branch; with SGD 1 / L and 1",
        assumes="branches of one weight layer: for deeper ones the paper finds no parametrization that is right in all "
        "respects",
        when="to tune learning rates on a shallow and narrow residual network and keep them for a deep and wide one: "
        "give the optimizer the learning rates of the Outcome",
        reference="Yang et al. 2023, Tensor Programs VI (arXiv 2310.02244), Table 1; with the multiplier moved into "
        "the weight, learning rates by the symmetry of Yang & Hu 2021 (arXiv 2011.14522)",
    )
    base_depth: Extent = Field(1.0, description="number of branches of the network that the learning rate was tuned on")

    def check_network(self, network: Network) -> None:
        """It has to have residual branches, and a width."""
        if not network.anatomy.branches:
            raise UsageError(
                "depth_mup divides residual branches by the root of their number, and this network has none",
                hint="mup for a network without residual branches",
            )
        check_width(network, self.width)

    def remarks(self, network: Network) -> Sequence[str]:
        """What counts as depth and width."""
        told = f"counted as {self._times(network):.4g} times deeper than the reference"
        if not network.source:
            told += f" and {width_of(network, self.width) / self.base_width:.4g} times wider"
        return (told,)

    def fill(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """As every scheme does, with the learning rates of what is not drawn by its fans."""
        rate = self._rate(weight, network)
        if weight.role == "norm" and weight.name in network.once(_last_norms):
            return self._shrunk(weight, network, rate)
        try:
            filled = super().fill(weight, network, variates)
        except UndrawableError:
            if rate == 1.0 or weight.role not in {"norm", "gate"}:
                raise
            return Filled(network.values(weight), None, rate)
        if weight.role not in {"bias", "embedding"}:
            return filled
        return replace(filled, learning_rate=rate, note=TIED if weight.role == "embedding" and weight.head else None)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Numbers by fan_in, smaller at the end of a branch."""
        rate = self._rate(weight, network)
        if self.zero_readout and weight.head:
            return Filled(constant(weight.shape, 0.0), 0.0, rate)
        std = scaled_std(weight, "fan_in", self.gain)
        std *= readout_shrinkage(self.growth(weight, network))
        if self._carries(weight, network):
            std /= self._times(network) ** 0.5
        return Filled(draw(variates, weight.shape, self.distribution, std), std, rate)

    def _shrunk(self, weight: Weight, network: Network, rate: float) -> Filled:
        """The normalization at the end of a branch: what stands in front of it has no size."""
        if not network.values(weight).any():
            raise UndrawableError(
                "it is zero, or counted from one: whether it scales its branch by 0 or by 1 is unknown"
            )
        scale = self._times(network) ** -0.5
        return Filled(constant(weight.shape, scale), None, rate)

    def _times(self, network: Network) -> float:
        return max(network.once(_depth), 1) / self.base_depth

    def _rate(self, weight: Weight, network: Network) -> float:
        rate = learning_rate(self.growth(weight, network), self.optimizer)
        if network.outer_branch(weight) is None:
            return rate
        if self._carries(weight, network):
            return rate / self._times(network)
        return rate / self._times(network) ** 0.5 if self.optimizer == "adam" else rate

    def _carries(self, weight: Weight, network: Network) -> bool:
        """Whether the factor 1 / √L of a branch is in this parameter: at its end, weight or bias."""
        branch = network.outer_branch(weight)
        if branch is None:
            return False
        if branch.norm is not None:
            return weight.module == branch.norm.rpartition(".")[0]
        if weight.role == "bias":
            return weight.module in {name.rpartition(".")[0] for name in branch.tails}
        return weight.name in branch.tails


def _depth(network: Network) -> int:
    return len(network.anatomy.outer_branches)


def _last_norms(network: Network) -> frozenset[str]:
    """Names of the scales of the normalizations that end branches."""
    return frozenset(branch.norm for branch in network.anatomy.outer_branches if branch.norm is not None)
