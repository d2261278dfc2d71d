"""Normalizer-free ResNets: weights that are standardized, with the gain of the activation in front of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from initprobe.activations.moments import NotElementwiseError, mean, second_moment
from initprobe.errors import UsageError
from initprobe.init.branches import check_branches, gated_branch, normalizations_told
from initprobe.init.distributions import constant, normal
from initprobe.init.fans import Factor, UndrawableError, fan
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, Treatment, register
from initprobe.init.standardized import standardized, standardizes
from initprobe.records import ActivationUse, Role, Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates

FILTERS: frozenset[Role] = frozenset(["linear", "conv", "depthwise", "transposed"])

ONCE = (
    "its layer does not standardize it: it was standardized once, with its activation's gain, and training undoes that"
)


@register
class NFResNet(Scheme):
    """Standardized weights; where the layer standardizes them itself, what it standardizes."""

    card = SchemeCard(
        name="nf_resnet",
        family="residual",
        summary="standardized weights with the gain of the activation before them, branches at zero: NF-ResNet, NFNet",
        formula="where the layer standardizes its weight: W ~ N(0, 1 / fan_in); elsewhere (W - mean) / (std · √fan_in) "
        "per unit, times γ = 1 / √Var f; the gates of branches skip_gain; the head N(0, head_std²); biases 0",
        assumes="x + alpha · F(x / beta) with beta² the variance that the blocks before have made, and activations "
        "times γ where weights are standardized in the layer: both are in the model",
        when="for residual networks without normalization whose blocks track their variance by alpha and beta",
        reference="Brock, De & Smith 2021 (arXiv 2101.08692), eq. 1 and section 3; Brock et al. 2021 (arXiv "
        "2102.06171); deepmind-research/nfnets: gates at 0, head at 0.01",
        aliases=("nfnet",),
    )
    treatments: ClassVar[Mapping[Role, Treatment]] = {"gate": "draw"}

    skip_gain: float = Field(0.0, description="of the gates at the end of branches; at 1 the variance grows by alpha²")
    head_std: Factor = Field(0.01, description="standard deviation of the classifier")

    def check_network(self, network: Network) -> None:
        """Make sure that there are residual branches.

        Raises:
            UsageError: there are none.
        """
        check_branches(network, "nf_resnet")

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """One matrix, or the gate of a branch.

        Raises:
            UndrawableError: it has no fan-in, its activation passes no signal, its filters are of one number each, or
                the gate multiplies no branch.
        """
        if weight.role == "gate":
            gated_branch(weight, network)
            return Filled(constant(weight.shape, self.skip_gain), 0.0)
        inputs = fan(weight, "fan_in")
        if weight.role == "linear" and weight.head:
            return Filled(normal(variates, weight.shape, self.head_std), self.head_std)
        std = 1.0 / math.sqrt(inputs)
        if weight.role not in FILTERS:
            return Filled(normal(variates, weight.shape, std), std)
        slot = network.slots.get(weight.name)
        if slot is not None and standardizes(weight, network):
            return Filled(normal(variates, weight.shape, std), std, stored=slot.parametrized)
        std *= standard_gain(weight.input_activation)
        return Filled(standardized(variates.normal(weight.shape), std, weight, network), std, note=ONCE)

    def remarks(self, network: Network) -> Sequence[str]:
        """What keeps the variance from being tracked."""
        return normalizations_told(network)


def standard_gain(use: ActivationUse | None) -> float:
    """γ = 1 / √Var f(z) for z ~ N(0, 1): weights of mean zero see nothing of the mean.

    Raises:
        UndrawableError: the activation passes no signal.
    """
    if use is None:
        return 1.0
    try:
        variance = second_moment(use) - mean(use) ** 2
    except NotElementwiseError:
        return 1.0
    except UsageError as error:
        raise UndrawableError(str(error)) from error
    if variance <= 0.0:
        raise UndrawableError(f"{use} lets no signal pass, and no gain makes up for that")
    return 1.0 / math.sqrt(variance)
