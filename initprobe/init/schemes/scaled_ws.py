"""Scaled weight standardization: every filter has mean zero and norm one, in every pass."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from initprobe.init.distributions import normal
from initprobe.init.fans import fan
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.init.standardized import standardized
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class ScaledWs(Scheme):
    """N(0, 1 / fan_in) behind standardized layers, and the standardized filters themselves elsewhere."""

    card = SchemeCard(
        name="scaled_ws",
        family="residual",
        summary="filters of mean zero and norm one, for networks without normalization",
        formula="w ~ N(0, 1 / fan_in), W = (w - mean(w)) / √(fan_in · var(w)) per output, by the layer or at the start",
        assumes="activations scaled to variance 1 (γ = 1 / √Var f, relu 1.712859), and branches scaled as in "
        "NF-ResNets; the mean of what comes in then does not matter",
        when="for layers reparametrized as `weight_standardization`, or that standardize in their own code; "
        "elsewhere filters start out so, and training moves them away",
        reference="Brock et al. 2021 (arXiv 2101.08692), Scaled Weight Standardization; the authors' nfnets/base.py",
        aliases=("scaled_weight_standardization", "nf"),
    )

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Raw numbers where the layer standardizes them, standardized ones where it is not known to.

        Raises:
            UndrawableError: the weight has no fan, or its filters are of one number each.
        """
        from initprobe.parametrizations.base import carried

        module, tensor = network.module(weight), weight.name.rpartition(".")[2]
        std = 1.0 / math.sqrt(fan(weight, "fan_in"))
        values = normal(variates, weight.shape, std)
        made = carried(module, tensor)
        if made is not None and made.card.name == "weight_standardization":
            return Filled(values, std, stored=True)
        return Filled(
            standardized(values, std, weight, network),
            std,
            note="unless the layer standardizes it itself, it is so at the start only; "
            'initprobe.reparametrize(model, "weight_standardization") keeps it so',
        )
