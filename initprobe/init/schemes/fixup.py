"""Fixup: residual networks without normalization, whose function moves by the learning rate at any depth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from initprobe.init.branches import (
    block_count,
    check_branches,
    factor_count,
    gated_branch,
    missing_gates,
    normalizations_told,
)
from initprobe.init.distributions import constant, normal
from initprobe.init.fans import fan
from initprobe.init.filters import filter_fan_out
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, Treatment, register
from initprobe.init.standardized import UNSEEN, standardizes
from initprobe.records import Role, Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates

TIED = "it is the classifier too, which the paper sets to zero: that would make every signal zero"


@register
class Fixup(Scheme):
    """He inside residual branches times L^(-1/(2m-2)), their last layers and the classifier zero."""

    card = SchemeCard(
        name="fixup",
        family="residual",
        summary="residual branches start at zero and are rescaled so that one step moves the output by O(lr)",
        formula="W ~ N(0, 2 / fan), inside a branch times L^(-1 / (2m - 2)); the last layer of every branch and the "
        "classifier 0; scalar multipliers 1 and scalar biases 0, both with a tenth of the learning rate. "
        "L branches, m weights multiplied in a row in this one",
        assumes="no normalization, rectifiers, branches of two weights or more, SGD; scalar multipliers and biases in "
        "the model",
        when="to train a deep residual network without normalization; not for plain networks, and not where a "
        "normalization follows the last layer of a branch",
        reference="Zhang, Dauphin & Ma 2019, Fixup Initialization (arXiv 1901.09321), section 3; the scalars' learning "
        "rate as in the authors' code (hongyi-zhang/Fixup)",
    )
    treatments: ClassVar[Mapping[Role, Treatment]] = {"gate": "draw"}

    mode: Literal["fan_in", "fan_out"] = Field(
        "fan_in",
        description="what He's variance is divided by; the paper names neither, the authors' code takes the outputs "
        "of a filter, whatever its stride (fan_out)",
    )

    def check_network(self, network: Network) -> None:
        """Make sure that there are residual branches.

        Raises:
            UsageError: there are none.
        """
        check_branches(network, "fixup")

    def fill(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Any parameter; a scalar that is added by itself is one of Fixup's biases.

        Raises:
            UndrawableError: it is kept.
        """
        filled = super().fill(weight, network, variates)
        if weight.role == "bias" and weight.fan_in is None and math.prod(weight.shape) == 1:
            return replace(filled, learning_rate=0.1)
        return replace(filled, note=TIED) if weight.role == "embedding" and weight.head else filled

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """One matrix, or the multiplier of a branch.

        Raises:
            UndrawableError: it has no fan, or it multiplies no branch.
        """
        if weight.role == "gate":
            gated_branch(weight, network)
            return Filled(constant(weight.shape, 1.0), 0.0, 0.1 if math.prod(weight.shape) == 1 else 1.0)
        shared = weight.head and bool(weight.aliases)
        if (weight.tail or weight.head) and not shared:
            return Filled(constant(weight.shape, 0.0), 0.0)
        scale = self._scale(weight, network)
        std = math.sqrt(2.0 / self._fan(weight, network)) * scale
        note = UNSEEN if scale != 1.0 and standardizes(weight, network) else None
        return Filled(normal(variates, weight.shape, std), std, note=TIED if shared else note)

    def remarks(self, network: Network) -> Sequence[str]:
        """What the paper adds to a network, and this one does not have."""
        told = [*normalizations_told(network), *missing_gates(network, "scalar multiplier")]
        weights = network.anatomy.weights
        if not any(one.role == "bias" and one.fan_in is None and math.prod(one.shape) == 1 for one in weights):
            told.append("the paper adds a scalar bias in front of every layer and activation; there is none here")
        single = sum(factor_count(network, branch) == 1 for branch in network.anatomy.branches)
        if single:
            told.append(f"{single} branches have one weight, which is zero: nothing is left to rescale in them")
        return told

    def _fan(self, weight: Weight, network: Network) -> float:
        return filter_fan_out(weight, network) if self.mode == "fan_out" else fan(weight, "fan_in")

    @staticmethod
    def _scale(weight: Weight, network: Network) -> float:
        """L^(-1 / (2m - 2)) inside a branch, 1 elsewhere and behind its last layer."""
        branch = network.branch(weight)
        factors = 0 if branch is None else network.once(factor_count, branch)
        if branch is None or factors < 2 or _behind_tail(weight, branch.tails, network):
            return 1.0
        return float(network.once(block_count) ** (-1.0 / (2.0 * factors - 2.0)))


def _behind_tail(weight: Weight, tails: Sequence[str], network: Network) -> bool:
    """Whether a weight acts on what the last layer of its branch made: squeeze and excitation."""
    slots = [network.slots[name].weight for name in tails if name in network.slots]
    last = max((tail.depth or 0 for tail in slots), default=None)
    return last is not None and weight.depth is not None and weight.depth > last
