"""What torchvision's residual networks are initialized with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from initprobe.init.branches import silent
from initprobe.init.distributions import constant, normal, uniform
from initprobe.init.fans import UndrawableError, fan
from initprobe.init.filters import filter_fan_out
from initprobe.init.schemes.base import KEPT, Filled, Scheme, SchemeCard, Treatment, register
from initprobe.records import Role, Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class HeFanoutResNet(Scheme):
    """He's normal by the outputs of a filter, and torch's own uniform for the classifier."""

    card = SchemeCard(
        name="he_fanout_resnet",
        family="convolution",
        summary="convolutions by He's fan-out, the classifier as torch builds it: torchvision's ResNet",
        formula="conv: W ~ N(0, 2 / (channels out per group · taps)), whatever the stride; linear: W, b ~ "
        "U(±1 / √fan_in); other biases 0; with zero_init_residual gamma = beta = 0 at the end of every branch",
        assumes="rectifiers, and a normalization behind every convolution",
        when="for ResNets with batch normalization, to start where the published ones do; without normalization take "
        "fixup",
        reference="He et al. 2015 (arXiv 1502.01852), eq. 14; torchvision.models.resnet; Goyal et al. 2017 "
        "(arXiv 1706.02677), section 5.1, for zero_init_residual",
        aliases=("resnet",),
    )
    treatments: ClassVar[Mapping[Role, Treatment]] = {"norm": "draw"}

    zero_init_residual: bool = Field(
        False,  # noqa: FBT003 - pydantic's default
        description="scale and shift of the normalization at the end of every residual branch become zero",
    )
    grouped: bool = Field(
        True,  # noqa: FBT003 - likewise
        description="count the channels per group; torchvision counts all, so that filters in g groups start √g too "
        "small",
    )

    def fill(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Any parameter; a linear layer's bias is drawn like its weight.

        Raises:
            UndrawableError: it is kept, or it has no fan.
        """
        if weight.role == "bias" and len(weight.shape) == 1 and weight.fan_in and _is_linear(weight, network):
            return self._as_torch(weight, variates)
        return super().fill(weight, network, variates)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """One matrix, or the scale or shift of a normalization.

        Raises:
            UndrawableError: it has no fan, or the normalization ends no branch.
        """
        if weight.role == "norm":
            if not self.zero_init_residual:
                raise UndrawableError(KEPT["norm"])
            return Filled(constant(weight.shape, silent(weight, network)), 0.0)
        if weight.role == "linear":
            return self._as_torch(weight, variates)
        std = math.sqrt(2.0 / filter_fan_out(weight, network, grouped=self.grouped))
        return Filled(normal(variates, weight.shape, std), std)

    def remarks(self, network: Network) -> Sequence[str]:
        """Branches that do not start at zero where they were asked to."""
        branches = network.anatomy.branches
        bare = sum(branch.norm is None for branch in branches)
        if not self.zero_init_residual or (branches and not bare):
            return ()
        text = f"{bare} of {len(branches)} residual branches end in no normalization" if bare else "there is no branch"
        return (f"{text}: zero_init_residual changes nothing there; the scheme of that name does",)

    @staticmethod
    def _as_torch(weight: Weight, variates: Variates) -> Filled:
        limit = 1.0 / math.sqrt(fan(weight, "fan_in"))
        return Filled(uniform(variates, weight.shape, limit), limit / math.sqrt(3.0))


def _is_linear(bias: Weight, network: Network) -> bool:
    """Whether a bias is that of a linear layer."""
    owner = network.slots.get(f"{bias.module}.weight" if bias.module else "weight")
    return owner is not None and owner.weight.role == "linear"
