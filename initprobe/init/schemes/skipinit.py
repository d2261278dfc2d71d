"""SkipInit: one scalar at the end of every residual branch, zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from initprobe.init.branches import check_gates, gated_branch, missing_gates, normalizations_told
from initprobe.init.distributions import constant, normal
from initprobe.init.fans import Gain, Mode, scaled_std
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, Treatment, register
from initprobe.records import Role, Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class SkipInit(Scheme):
    """The multiplier of every residual branch becomes alpha, the weights are He's."""

    card = SchemeCard(
        name="skipinit",
        family="residual",
        summary="the scalar multiplier of every residual branch is zero, weights are He's",
        formula="alpha = 0 at the end of every branch; W ~ N(0, gain² / fan) with the gain of the activation before "
        "it; biases 0",
        assumes="a scalar multiplier at the end of every branch, in the model; no normalization",
        when="for residual networks that are trained without normalization, with a smaller learning rate than with it",
        reference="De & Smith 2020, Batch Normalization Biases Residual Blocks Towards the Identity Function "
        "(arXiv 2002.10444); deepmind-research/nfnets skipinit_resnet.py",
    )
    treatments: ClassVar[Mapping[Role, Treatment]] = {"gate": "draw"}

    alpha: float = Field(
        0.0, description="the multiplier: zero, or small; 1 / √L is the most that the paper finds to train at any depth"
    )
    gain: Gain = Field("auto", description="auto: that of the activation before the weight, √2 behind a rectifier")
    mode: Mode = Field("fan_in", description="fan_in keeps the signal, fan_out the gradient, fan_avg meets halfway")
    zero_head: bool = Field(False, description="also set the classifier to zero, as the authors' code does")  # noqa: FBT003 - pydantic's default

    def check_network(self, network: Network) -> None:
        """Make sure that branches have multipliers.

        Raises:
            UsageError: there are no residual branches, or none has one.
        """
        check_gates(network, "skipinit", "a scalar")

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """One matrix, or the multiplier of a branch.

        Raises:
            UndrawableError: it has no fan, or it multiplies no branch.
        """
        if weight.role == "gate":
            gated_branch(weight, network)
            return Filled(constant(weight.shape, self.alpha), 0.0)
        if self.zero_head and weight.head and not weight.aliases:
            return Filled(constant(weight.shape, 0.0), 0.0)
        std = scaled_std(weight, self.mode, self.gain)
        return Filled(normal(variates, weight.shape, std), std)

    def remarks(self, network: Network) -> Sequence[str]:
        """What the paper adds to a network, and this one does not have."""
        return (*normalizations_told(network), *missing_gates(network, "multiplier"))
