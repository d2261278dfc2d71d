"""Weight normalization's data-dependent initialization: every unit starts with mean 0 and variance 1 on a batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from initprobe.init.distributions import normal
from initprobe.init.fans import UndrawableError
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.init.wording import counted
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.init.calibration import Calibration
    from initprobe.init.layerwise import Layer
    from initprobe.init.network import Network
    from initprobe.init.slots import Slot
    from initprobe.variates import Variates

FLOOR = 1e-10
"""What the authors add to a variance, lest a unit that does not vary be divided by nothing."""


@register
class WeightNormDdi(Scheme):
    """Directions from a normal distribution, lengths and biases from one batch.

    On a layer with weight normalization the direction V and the length g are set as in the paper. On a plain layer the
    weight becomes g V / ‖V‖, which computes the same and trains without the normalization.
    """

    card = SchemeCard(
        name="weight_norm_ddi",
        family="data",
        summary="every unit to mean 0 and variance 1 on a batch, as weight normalization starts",
        formula="V ~ N(0, 0.05²), t = V x / ‖V‖, g = scale / σ[t], b = -μ[t] · g per unit, layer after layer; "
        "weight = g V / ‖V‖",
        assumes="the batch is like the training data; layers are modules that put out the product of one weight",
        when="for weight-normalized networks and plain deep ones; without a bias the mean stays. Residual branches all "
        "start with variance 1, so that their sums grow with the depth",
        reference="Salimans & Kingma 2016, Weight Normalization (arXiv 1602.07868), section 3, eq. 5 and 6",
        aliases=("weightnorm_ddi",),
    )
    calibrates: ClassVar[bool] = True

    scale: float = Field(1.0, gt=0.0, description="standard deviation of every unit's output on the batch")
    std: float = Field(0.05, gt=0.0, description="standard deviation of the directions V of a weight-normalized layer")

    def check_network(self, network: Network) -> None:
        """There has to be a layer to adjust."""
        from initprobe.init.layerwise import check_layers

        check_layers(network, self.card.name)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """V of a weight-normalized layer; V / ‖V‖, whose length is 1 per unit, of every other."""
        if len(weight.shape) < 2 or 0 in weight.shape:
            raise UndrawableError(f"a tensor of shape {weight.shape} has no units")
        values = normal(variates, weight.shape, self.std)
        slot = network.slots.get(weight.name)
        if slot is not None and slot.parametrized:
            return Filled(values, self.std)
        axis = weight.unit_axis or 0
        rows = values.double().movedim(axis, 0)
        lengths = rows.flatten(1).norm(dim=1).clamp_min(1e-30)
        unit = (rows / lengths.reshape(-1, *[1] * (rows.dim() - 1))).movedim(0, axis)
        return Filled(unit, 1.0 / math.sqrt(math.prod(weight.shape) // weight.shape[axis]))

    def calibrate(self, calibration: Calibration) -> Sequence[str]:
        """One pass that sets lengths and biases, one that looks at what came of it.

        Raises:
            UsageError: there is no layer to adjust, or no unit of one varies, or what it puts out is not finite.
        """
        from initprobe.init.layerwise import check_adjusted, unit_moments

        still: list[str] = []

        def adjust(layer: Layer, output: Tensor) -> Tensor:
            found = unit_moments(layer, output)
            varies = found.variance > 0.0
            if not bool(varies.all()):
                still.append(f"{int((~varies).sum())} units of {layer.name} do not vary on this batch: length kept")
            factor = (found.variance + FLOOR).rsqrt() * self.scale
            factor[~varies] = 1.0
            return calibration.rescale(layer, output, factor, -found.mean * factor)

        means: list[float] = [0.0]
        spreads: list[float] = [0.0]

        def look(layer: Layer, output: Tensor) -> Tensor:
            found = unit_moments(layer, output)
            varies = found.variance > 0.0
            spreads.append(float((found.variance[varies].sqrt() / self.scale - 1.0).abs().max()))
            if layer.free:
                means.append(float(found.mean.abs().max()))
            return output

        layers = calibration.walk(adjust)
        check_adjusted(layers, self.card.name)
        calibration.walk(look)
        _tell_of_means(calibration, layers)
        reached = f"means within {max(means):.1g} of 0, standard deviations within {max(spreads):.1g} of {self.scale:g}"
        passes = counted(calibration.passes, "forward pass", "forward passes")
        return (f"{counted(len(layers), 'layer')}, {reached}; {passes}", *still)


def _tell_of_means(calibration: Calibration, layers: Sequence[Slot]) -> None:
    """Note where there is no bias to take the mean away with."""
    own = {slot.weight.module for slot in calibration.slots if slot.weight.role == "bias"}
    for slot in layers:
        if slot.weight.module not in own:
            for name in slot.parameters:
                calibration.notes.setdefault(
                    name, "it has no bias of this scheme's, so that the means of its units stay"
                )
