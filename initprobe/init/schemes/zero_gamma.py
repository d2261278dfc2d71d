"""Residual branches that start at zero: by the scale of the normalization that ends them, or by their last weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from initprobe.errors import UsageError
from initprobe.init.branches import check_branches, silent
from initprobe.init.distributions import constant, normal
from initprobe.init.fans import Gain, Mode, scaled_std
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, Treatment, register
from initprobe.records import Role, Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class ZeroGamma(Scheme):
    """The normalization at the end of every residual branch gets the scale zero."""

    card = SchemeCard(
        name="zero_gamma",
        family="residual",
        summary="the scale of the normalization at the end of every residual branch is zero",
        formula="gamma = beta = 0 in the last normalization of a branch, other normalizations as they are; "
        "W ~ N(0, gain² / fan) with the gain of the activation before it; biases 0",
        assumes="branches that end in a normalization with a scale",
        when="for residual networks with batch normalization and large batches; branches with no normalization at the "
        "end take zero_init_residual",
        reference="Goyal et al. 2017, Accurate, Large Minibatch SGD (arXiv 1706.02677), section 5.1; torchvision's "
        "zero_init_residual",
    )
    treatments: ClassVar[Mapping[Role, Treatment]] = {"norm": "draw"}

    gain: Gain = Field("auto", description="auto: that of the activation before the weight, √2 behind a rectifier")
    mode: Mode = Field("fan_in", description="fan_in keeps the signal, fan_out the gradient, fan_avg meets halfway")

    def check_network(self, network: Network) -> None:
        """Make sure that there is a branch that a normalization ends.

        Raises:
            UsageError: there is none.
        """
        check_branches(network, "zero_gamma")
        if not any(branch.norm for branch in network.anatomy.branches):
            raise UsageError(
                "zero_gamma sets the scale of the normalization at the end of every residual branch to zero, "
                "and none of this network's branches ends in one",
                hint="zero_init_residual sets the last weight of a branch to zero instead",
            )

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """One matrix, or the scale or shift of a normalization.

        Raises:
            UndrawableError: it has no fan, or the normalization ends no branch.
        """
        if weight.role == "norm":
            return Filled(constant(weight.shape, silent(weight, network)), 0.0)
        std = scaled_std(weight, self.mode, self.gain)
        return Filled(normal(variates, weight.shape, std), std)

    def remarks(self, network: Network) -> Sequence[str]:
        """Branches that do not start at zero."""
        branches = network.anatomy.branches
        bare = [branch for branch in branches if branch.norm is None]
        if not bare:
            return ()
        first = bare[0].block or "the model"
        text = f"{len(bare)} of {len(branches)} residual branches end in no normalization and do not start at zero"
        return (f"{text} (first: {first}); zero_init_residual sets their last weight to zero",)


@register
class ZeroInitResidual(ZeroGamma):
    """Every residual branch starts at zero, by whatever ends it."""

    card = SchemeCard(
        name="zero_init_residual",
        family="residual",
        summary="every residual branch starts at zero: by its last normalization, or else by its last weights",
        formula="gamma = beta = 0 where a normalization ends the branch, W = 0 in its last weights where none does; "
        "elsewhere W ~ N(0, gain² / fan) with the gain of the activation before it; biases 0",
        assumes="residual branches; behind a normalization the last weight stays random, since a zero in front of it "
        "would multiply gradients by 1 / √eps",
        when="for residual networks of any kind that should start as the identity: pre-norm transformers, diffusion "
        "networks, pre-activation ResNets",
        reference="Goyal et al. 2017 (arXiv 1706.02677), section 5.1, for a normalization; Zhang, Dauphin & Ma 2019 "
        "(arXiv 1901.09321), rule 1, for the last layer",
        aliases=("zero_residual",),
    )

    def check_network(self, network: Network) -> None:
        """Make sure that there are residual branches.

        Raises:
            UsageError: there are none.
        """
        check_branches(network, "zero_init_residual")

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """One matrix, or the scale or shift of a normalization.

        Raises:
            UndrawableError: it has no fan, or the normalization ends no branch.
        """
        branch = network.branch(weight)
        if weight.tail and branch is not None and branch.norm is None:
            return Filled(constant(weight.shape, 0.0), 0.0)
        return super().fill_weight(weight, network, variates)

    def remarks(self, network: Network) -> Sequence[str]:  # noqa: ARG002 - every branch starts at zero
        """Nothing: every branch starts at zero."""
        return ()
