"""The spectral condition: weights and updates that keep the size of a typical vector's entries at any width."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.distributions import haar, normal
from initprobe.init.fans import UndrawableError, fan
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.init.widths import Optimizer
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class Spectral(Scheme):
    """Spectral norms of √(fan_out / fan_in), for weights and for updates."""

    card = SchemeCard(
        name="spectral",
        family="width",
        summary="spectral norm of the order of √(fan_out / fan_in), and learning rates that keep updates so",
        formula="W ~ N(0, σ²), σ = min(1, √(fan_out / fan_in)) / √fan_in; orthogonal: W = √(fan_out / fan_in) Q; "
        "learning rates with SGD: fan_out / fan_in, with Adam: 1 / fan_in; embeddings, biases and normalizations, "
        "which keep their values, have fan_in 1",
        assumes="dense inputs with entries of order one; a batch of gradients of low rank",
        when="for learning rates that hold at every width without a reference network: the learning rate is that of a "
        "weight whose fans are alike (SGD) or one (Adam); give the optimizer the learning rates of the Outcome",
        reference="Yang, Simon & Bernstein 2023, A Spectral Condition for Feature Learning (arXiv 2310.17813), "
        "condition 1 and parametrization 1",
    )

    orthogonal: bool = Field(
        False,  # noqa: FBT003
        description="whether the spectral norm is met exactly, with all singular values alike",
    )
    optimizer: Optimizer = Field("sgd", description="sgd | adam (and its kin): which learning rates")
    scale: float = Field(1.0, gt=0.0, description="times all weights")

    def fill(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """As every scheme does, with the learning rates of vectors and tables, whose fan_in is one."""
        try:
            filled = super().fill(weight, network, variates)
        except UndrawableError:
            if weight.role not in {"norm", "gate"} or self.optimizer == "adam":
                raise
            return Filled(network.values(weight), None, float(math.prod(weight.shape)))
        if weight.role not in {"bias", "embedding"}:
            return filled
        size = max((part.size for part in weight.parts), default=weight.shape[-1])
        return replace(filled, learning_rate=float(size) if self.optimizer == "sgd" else 1.0)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Numbers of the wanted spectral norm, in expectation or exactly."""
        fan_in, fan_out = fan(weight, "fan_in"), fan(weight, "fan_out")
        rate = fan_out / fan_in if self.optimizer == "sgd" else 1.0 / fan_in
        if not self.orthogonal:
            std = self.scale * min(1.0, math.sqrt(fan_out / fan_in)) / math.sqrt(fan_in)
            return Filled(normal(variates, weight.shape, std), std, rate)
        numbers = variates.normal(weight.shape)
        matrices = _matrices(numbers, weight, _groups(weight, network))
        rows, columns = matrices.shape[1:]
        # A patch of K places holds K times the squared length of a place, and a convolution sees every place K times.
        taps = math.prod(weight.shape[2:])
        scale = self.scale * math.sqrt(fan_out / fan_in / taps)
        values = _unfolded(haar(matrices) * scale, weight, numbers)
        return Filled(values, scale / math.sqrt(max(rows, columns)), rate)


def _groups(weight: Weight, network: Network) -> int:
    groups = getattr(network.module(weight), "groups", 1)
    return groups if isinstance(groups, int) and weight.role in {"conv", "depthwise", "transposed"} else 1


def _matrices(numbers: Tensor, weight: Weight, groups: int) -> Tensor:
    """One matrix per group, a row per output: (groups, outputs, inputs · places)."""
    if len(weight.shape) < 2:
        raise UndrawableError("a vector is no matrix")
    if weight.role == "transposed":
        apart = numbers.reshape(groups, -1, *numbers.shape[1:])
        return apart.movedim(2, 1).reshape(groups, numbers.shape[1], -1)
    turned = numbers.movedim(weight.unit_axis or 0, 0)
    return turned.reshape(groups, turned.shape[0] // groups, -1)


def _unfolded(matrices: Tensor, weight: Weight, numbers: Tensor) -> Tensor:
    """The way back from ``_matrices``."""
    if weight.role == "transposed":
        groups, outputs = matrices.shape[:2]
        apart = matrices.reshape(groups, outputs, -1, *numbers.shape[2:])
        return apart.movedim(1, 2).reshape(numbers.shape)
    axis = weight.unit_axis or 0
    return matrices.reshape(numbers.movedim(axis, 0).shape).movedim(0, axis)
