"""The parametrization of the neural tangent kernel, with its multipliers moved into weights and learning rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from initprobe.init.distributions import normal
from initprobe.init.fans import Gain, scaled_std
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, Treatment, register
from initprobe.init.widths import Optimizer
from initprobe.records import Role, Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class NTK(Scheme):
    """Fan-in scaling, and learning rates that do the same."""

    card = SchemeCard(
        name="ntk",
        family="width",
        summary="variance σ_w² / fan_in, and learning rates that make training linear in the limit of width",
        formula="W ~ N(0, σ_w² / fan_in), b ~ N(0, σ_b²); learning rates with SGD σ_w² / fan_in and σ_b², with Adam "
        "their roots: the same function and the same training as σ_w W x / √fan_in + σ_b b with all entries N(0, 1)",
        assumes="one learning rate for all parameters of the parametrization with multipliers",
        when="to compare with the theory of wide networks, whose features do not change; mup where they should",
        reference="Jacot, Gabriel & Hongler 2018, Neural Tangent Kernel (arXiv 1806.07572), section 3: σ_w = 1, "
        "σ_b = β = 0.1; multipliers moved by the symmetry of Yang & Hu 2021 (arXiv 2011.14522)",
    )
    treatments: ClassVar[Mapping[Role, Treatment]] = {"bias": "draw"}

    weight_std: Gain = Field("auto", description="σ_w; auto: 1 / √(E f²) of the activation before the weight")
    bias_std: float = Field(0.1, gt=0.0, description="σ_b; with 0 biases would not move either")
    optimizer: Optimizer = Field("sgd", description="sgd | adam (and its kin): which learning rates")

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:  # noqa: ARG002
        """Numbers by fan_in, with a learning rate by fan_in."""
        std = self.bias_std if weight.role == "bias" else scaled_std(weight, "fan_in", self.weight_std)
        rate = std**2 if self.optimizer == "sgd" else std
        return Filled(normal(variates, weight.shape, std), std, rate)
