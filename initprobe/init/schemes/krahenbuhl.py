"""Krähenbühl et al.: every channel gets the same statistics on a batch, then every layer the same relative gradient."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from initprobe.init.distributions import normal
from initprobe.init.fans import fan
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


@register
class Krahenbuhl(Scheme):
    """Within layers: mean β and variance 1 per channel. Between layers: one ratio of gradient to weight for all.

    The authors' code calls a network balanced when |ln r / ln target - 1| < 1 % for all ratios r. That depends on the
    unit that the gradient is measured in, and cannot be met near target 1; here it is |r / target - 1| < 1 %, for one
    fixed random gradient of the output.
    """

    card = SchemeCard(
        name="krahenbuhl",
        family="data",
        summary="every channel to mean β and variance 1 on a batch, then every layer to the same relative gradient",
        formula="w_k ~ N, w_k ← w_k / σ_k, b_k = β - μ_k / σ_k; then r = √(mean (∂/∂W)² / mean W²) under a "
        "random gradient of the output, W, b ← (W, b) · √(r / r̂), r̂ the geometric mean of all r",
        assumes="the batch is like the training data; layers are modules that put out the product of one weight, and "
        "(for the second part) a network that is homogeneous in each of them, as relu makes it",
        when="for convolutional networks with relu; β > 0 keeps units alive. Where normalizations or saturating "
        "activations make scales meaningless the second part may not settle, and says so",
        reference="Krähenbühl et al. 2016, Data-dependent Initializations of Convolutional Neural Networks "
        "(arXiv 1511.06856), algorithms 1 and 2; β and the number of iterations as in the authors' code",
        aliases=("magic_init",),
    )
    calibrates: ClassVar[bool] = True

    beta: float = Field(0.1, description="mean of every channel before its activation")
    equalize: bool = Field(default=True, description="whether the layers' relative gradients are made alike, too")
    iterations: int = Field(10, ge=1, description="of that, at most")
    tolerance: float = Field(0.01, gt=0.0, description="how far from their geometric mean the ratios may end, relative")

    def check_network(self, network: Network) -> None:
        """There has to be a layer to adjust."""
        from initprobe.init.layerwise import check_layers

        check_layers(network, self.card.name)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:  # noqa: ARG002 - see base
        """N(0, 1 / fan_in): the paper's N(0, 1) up to a scale that adjusted layers lose, and that the others need.

        Raises:
            UndrawableError: the weight has no fan.
        """
        std = 1.0 / math.sqrt(fan(weight, "fan_in"))
        return Filled(normal(variates, weight.shape, std), std)

    def calibrate(self, calibration: Calibration) -> Sequence[str]:
        """One pass for the channels, then up to ``iterations`` times a backward pass and one more for the layers.

        Raises:
            UsageError: there is no layer to adjust, or no channel of one varies, or what it puts out is not finite.
        """
        from initprobe.init.layerwise import check_adjusted

        channels = Channels(self.beta, calibration)
        layers = calibration.walk(channels.adjust)
        check_adjusted(layers, self.card.name)
        notes = [
            f"{counted(len(layers), 'layer')}, every channel to mean {self.beta:g} and variance 1",
            *channels.still,
        ]
        if self.equalize:
            notes.append(self._equalize(calibration, layers, channels.entered))
        return notes

    def _equalize(self, calibration: Calibration, layers: Sequence[Slot], entered: dict[str, float]) -> str:
        for iteration in range(self.iterations + 1):
            found, output_std = ratios(calibration, layers)
            if len(found) < 2:
                return "fewer than two layers are trained and get a gradient: there is nothing to equalize"
            centre = math.exp(sum(map(math.log, found.values())) / len(found))
            spread = max(abs(ratio / centre - 1.0) for ratio in found.values())
            if spread < self.tolerance or iteration == self.iterations:
                break
            target = centre * output_std ** (1.0 / len(found))
            factors = {name: math.sqrt(ratio / target) for name, ratio in found.items()}
            calibration.walk(Layers(factors, entered, calibration).adjust)
        told = f"relative gradients within {spread:.2g} of their geometric mean after {counted(iteration, 'iteration')}"
        return told if spread < self.tolerance else f"{told}: more than the {self.tolerance:g} that was asked for"


class Channels:
    """The pass within layers.

    Attributes:
        entered: mean absolute value of what each layer was called on, by the name of its weight.
        still: what to tell of channels that do not vary.
    """

    def __init__(self, beta: float, calibration: Calibration) -> None:
        self.beta = beta
        self.calibration = calibration
        self.entered: dict[str, float] = {}
        self.still: list[str] = []

    def adjust(self, layer: Layer, output: Tensor) -> Tensor:
        """Every channel to variance 1 and mean β."""
        from initprobe.init.layerwise import unit_moments

        found = unit_moments(layer, output)
        varies = found.variance > 0.0
        if not bool(varies.all()):
            self.still.append(f"{int((~varies).sum())} channels of {layer.name} do not vary on this batch: scale kept")
        factor = found.variance.where(varies, found.variance.new_ones(())).rsqrt()
        made = self.calibration.rescale(layer, output, factor, self.beta - found.mean * factor)
        self.entered[layer.weight.weight.name] = _size(layer)
        if layer.bias is None or not layer.free:
            note = f"it has no bias of this scheme's, so that its channels keep means other than {self.beta:g}"
            for name in layer.weight.parameters:
                self.calibration.notes.setdefault(name, note)
        return made


class Layers:
    """A pass between layers: weights are scaled, and biases follow the scale of what enters them."""

    def __init__(self, factors: Mapping[str, float], entered: dict[str, float], calibration: Calibration) -> None:
        self.factors = factors
        self.entered = entered
        self.calibration = calibration

    def adjust(self, layer: Layer, output: Tensor) -> Tensor:
        """The layer's factor on weight and bias, and on the bias what its input was multiplied by."""
        name = layer.weight.weight.name
        if name not in self.entered:  # its channels could not be changed, and the notes say why
            return output
        factor = self.factors.get(name, 1.0)
        size, before = _size(layer), self.entered[name]
        follow = size / before if before > 0.0 else 1.0
        self.entered[name] = size
        bias = output.new_zeros(()).double() if layer.bias is None else layer.bias.read().double().flatten()
        return self.calibration.rescale(
            layer, output, output.new_tensor(factor).double(), factor * (follow - 1.0) * bias
        )


def ratios(calibration: Calibration, layers: Sequence[Slot]) -> tuple[dict[str, float], float]:
    """√(mean gradient² / mean weight²) of every trained layer under a random gradient of the output.

    Returns:
        The ratios by name of the weight, and the standard deviation of the output over the samples, averaged.
    """
    from torch.nn.utils import parametrize

    from initprobe.init.layerwise import first_floats
    from initprobe.variates import Variates

    with calibration.running(gradients=True) as model, parametrize.cached():
        output = first_floats(calibration.output(model, calibration.call()))
        weights = {slot.weight.name: slot.now() for slot in layers}
        trained = {name: weight for name, weight in weights.items() if weight.requires_grad}
        top = Variates(calibration.seed, "@top").normal(tuple(output.shape)).to(output)
        got = calibration.gradients(output, list(trained.values()), cotangent=top) if trained else []
    sizes = {
        name: float(gradient.double().square().mean() / weight.detach().double().square().mean())
        for (name, weight), gradient in zip(trained.items(), got, strict=True)
    }
    std = float(output.detach().double().std(0, correction=0).mean()) if output.dim() > 1 else 1.0
    found = {name: math.sqrt(size) for name, size in sizes.items() if math.isfinite(size) and size > 0.0}
    for slot in layers:
        if slot.weight.name not in found:
            why = "it is frozen" if slot.weight.name not in trained else "no gradient reaches it"
            for name in slot.parameters:
                calibration.notes.setdefault(name, f"channels alone: {why}, so that it has no relative gradient")
    return found, std if std > 0.0 else 1.0


def _size(layer: Layer) -> float:
    """Mean absolute value of what enters a layer; 1 where that is no tensor."""
    if layer.entered is None or not layer.entered.is_floating_point():
        return 1.0
    return float(layer.entered.detach().abs().mean(dtype=layer.entered.new_zeros(()).float().dtype))
