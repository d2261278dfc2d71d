"""LSUV: orthonormal weights, then one factor per layer that gives its output unit variance on a batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from initprobe.init.distributions import haar
from initprobe.init.fans import UndrawableError
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.init.wording import counted
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.init.calibration import Calibration
    from initprobe.init.layerwise import Layer
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class Lsuv(Scheme):
    """Layer-sequential unit-variance, in one pass: every layer is rescaled when the pass reaches it.

    The authors run the network anew for every layer, which takes a number of passes that grows with the depth. A layer
    is linear in its weight, so its output under the rescaled weight is known without running it again, and the pass
    goes on with that. Further passes verify, and correct where a foreign bias or a reused layer makes that inexact.
    """

    card = SchemeCard(
        name="lsuv",
        family="data",
        summary="orthonormal, then every layer's output to variance 1 on a batch",
        formula="W = Q (semi-orthonormal), b = 0; then for each layer in order of the pass, while |Var(y) - 1| ≥ "
        "tolerance: W ← W / √Var(y), Var over samples, channels and places, the mean not removed",
        assumes="the batch is like the training data; layers are modules that put out the product of one weight",
        when="for activations without a known gain, odd architectures and plain deep nets; less use where every layer "
        "is normalized anyway. Packed attention and recurrent layers stay orthonormal and are told of",
        reference="Mishkin & Matas 2016, All You Need Is a Good Init (arXiv 1511.06422), algorithm 1; tolerance and "
        "trials as in the authors' Caffe code",
    )
    calibrates: ClassVar[bool] = True

    tolerance: float = Field(0.02, gt=0.0, description="how far from 1 the variance of a layer's output may be")
    max_passes: int = Field(20, ge=0, description="passes that verify and correct, at most; one is enough as a rule")
    remove_mean: bool = Field(
        default=False, description="also shift each layer's bias so that the mean of its output is 0; not in the paper"
    )

    def check_network(self, network: Network) -> None:
        """There has to be a layer to rescale."""
        from initprobe.init.layerwise import check_layers

        check_layers(network, self.card.name)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:  # noqa: ARG002 - see base
        """Haar-distributed semi-orthonormal rows or columns."""
        if len(weight.shape) < 2 or 0 in weight.shape:
            raise UndrawableError(f"a tensor of shape {weight.shape} has no rows and columns")
        axis = weight.unit_axis or 0
        numbers = variates.normal(weight.shape).double().movedim(axis, 0)
        values = haar(numbers.flatten(1)).reshape(numbers.shape).movedim(0, axis)
        units = weight.shape[axis]
        return Filled(values, 1.0 / math.sqrt(max(units, math.prod(weight.shape) // units)))

    def calibrate(self, calibration: Calibration) -> Sequence[str]:
        """Rescale on the first pass, verify on the second, correct on others where that did not do.

        Raises:
            UsageError: there is no layer to rescale, or one puts out nothing but zeros or what is not finite.
        """
        from initprobe.init.layerwise import check_adjusted

        for _ in range(1 + self.max_passes):
            sweep = Sweep(self, calibration)
            layers = calibration.walk(sweep.adjust)
            check_adjusted(layers, self.card.name)
            if not sweep.rescaled:
                break
        met = [abs(variance - 1.0) for variance in sweep.variances]
        told = (
            f"{counted(len(layers), 'layer')}, output variance within {max(met):.2g} of 1; "
            f"{counted(calibration.passes, 'forward pass', 'forward passes')}"
        )
        if not sweep.rescaled:
            return (told,)
        for slot, variance in zip(layers, sweep.variances, strict=True):
            if abs(variance - 1.0) >= self.tolerance:
                note = f"its output had variance {variance:.4g} in the last pass, and was rescaled without another look"
                calibration.notes.update(dict.fromkeys(slot.parameters, note))
        return (f"{told}, the last of which still rescaled {sweep.rescaled}",)


class Sweep:
    """One pass over the layers.

    Attributes:
        variances: of each layer's output as it was met, in the order of the pass.
        rescaled: how many layers were outside of the tolerance.
    """

    def __init__(self, scheme: Lsuv, calibration: Calibration) -> None:
        self.scheme = scheme
        self.calibration = calibration
        self.variances: list[float] = []
        self.rescaled = 0

    def adjust(self, layer: Layer, output: Tensor) -> Tensor:
        """Divide the weight by the standard deviation of the output, unless that is near enough to 1."""
        from initprobe.init.layerwise import moments

        found = moments(layer, output)
        off_centre = self.scheme.remove_mean and layer.free and abs(float(found.mean)) >= self.scheme.tolerance
        made = output
        if abs(float(found.variance) - 1.0) >= self.scheme.tolerance or off_centre:
            factor = found.variance.rsqrt()
            shift = -found.mean * factor if self.scheme.remove_mean else None
            made = self.calibration.rescale(layer, output, factor, shift)
            self.rescaled += 1
        self.variances.append(float(found.variance))
        return made
