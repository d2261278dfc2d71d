"""Deep kernel shaping and tailored activations, without touching an activation: weights and biases take the change in.

A layer φ̂(x) = γ (φ(α x + β) + δ) behind weights V without bias computes what φ computes behind the weights α V and the
bias β; the next weights take γ, and their bias γ δ V 1. The network is the transformed one at the start; trained, it
differs from it, as its parameters are others.
"""

from __future__ import annotations

import itertools
import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from initprobe.activations.tailoring import Tailored, shaped, tailored
from initprobe.errors import UsageError
from initprobe.init.distributions import haar, normal
from initprobe.init.fans import UndrawableError, fan
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.records import ActivationUse, Role, Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.init.network import Network
    from initprobe.variates import Variates

LAYERS: frozenset[Role] = frozenset(["linear", "conv"])
KNOWN: frozenset[Role] = LAYERS | {"bias", "embedding"}
FORMULA = (
    "φ̂(x) = γ (φ(α x + β) + δ) taken in by its neighbours: W = α γ V, b = β + α γ δ V 1 between two activations (no γ, "
    "δ behind the data, no α, β at the output), V orthogonal times max(√(out / in), 1), of a convolution in its middle "
    "tap"
)
ASSUMES = (
    "a chain of linear layers or convolutions with biases and one activation between them; samples of second moment 1"
)
WHEN = (
    "for deep plain networks with smooth activations; the function at the start is that of the transformed network, "
    "its training is not: W and b are scaled, and b does not follow W"
)


class Absorbed(Scheme):
    """Draws V, and takes a transformation of the activation into weights and biases."""

    distribution: Literal["orthogonal", "normal"] = Field(
        "orthogonal", description="of V: scaled uniform orthogonal matrices, or normal numbers of variance 1 / fan_in"
    )

    @abstractmethod
    def transformation(self, use: ActivationUse, layers: int) -> Tailored:
        """The transformation of one activation in a chain of so many of them.

        Raises:
            UsageError: there is none for this activation.
        """

    def check_network(self, network: Network) -> None:
        """It has to be a chain with one activation that can be transformed, and biases.

        Raises:
            UsageError: it is not, with what is in the way.
        """
        use, layers = network.once(chain)
        self.transformation(use, layers)

    def fill(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Weights and biases; a table of embeddings is the data."""
        if weight.role == "bias":
            return self._bias(weight, network)
        return super().fill(weight, network, variates)

    def fill_chosen(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """The same: weights that belong together are drawn together."""
        return self._bias(weight, network) if weight.role == "bias" else self.fill_weight(weight, network, variates)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """V times the scales of the activations on both sides."""
        if weight.role not in LAYERS:
            raise UndrawableError(f"a {weight.role} has no place in a chain of layers")
        factor = self._scales(weight, network)[0]
        spread = self.distribution == "normal" or weight.role == "linear"
        std = abs(factor) / math.sqrt(fan(weight, "fan_in")) if spread else None
        return Filled(self._matrix(weight, variates) * factor, std, note=self._border(weight, network))

    def _bias(self, weight: Weight, network: Network) -> Filled:
        owner = next((one for one in network.beside(weight) if one.role in LAYERS), None)
        if owner is None:
            raise UndrawableError("it is no bias of a layer of the chain")
        factor, start, shift = self._scales(owner, network)
        axis = owner.unit_axis or 0
        sums = self._matrix(owner, network.variates(owner.name)).movedim(axis, 0).flatten(1).sum(1)
        return Filled(sums * factor * shift + start, None)

    def _scales(self, weight: Weight, network: Network) -> tuple[float, float, float]:
        """What V is multiplied with, where the bias starts, and the shift of the layer's input."""
        one = self.transformation(*network.once(chain))
        behind, before = bool(_behind(weight)), weight.input_activation is not None
        factor = (one.input_scale if behind else 1.0) * (one.output_scale if before else 1.0)
        return factor, one.input_shift if behind else 0.0, one.output_shift if before else 0.0

    def _matrix(self, weight: Weight, variates: Variates) -> Tensor:
        """V, float64; of a convolution its middle tap is the orthogonal matrix."""
        import torch

        if self.distribution == "normal":
            return normal(variates, weight.shape, 1.0 / math.sqrt(fan(weight, "fan_in"))).double()
        axis = weight.unit_axis or 0
        middle: tuple[slice | int, ...] = (slice(None), slice(None), *(extent // 2 for extent in weight.shape[2:]))
        numbers = variates.normal(weight.shape)[middle]
        rows, columns = numbers.movedim(axis, 0).shape
        matrix = haar(numbers) * math.sqrt(max(rows / columns, 1.0))
        values = torch.zeros(weight.shape, dtype=torch.float64)
        values[middle] = matrix
        return values

    def _border(self, weight: Weight, network: Network) -> str | None:
        """What zero padding makes of a shift that is taken in: it pads with zeros what should be padded with δ."""
        module = network.module(weight)
        padded = getattr(module, "padding", 0) not in (0, "valid", (0,) * len(weight.shape[2:]))
        if not padded or weight.input_activation is None or getattr(module, "padding_mode", "zeros") != "zeros":
            return None
        if self.distribution == "orthogonal" and _inside(module, weight.shape[2:]):
            return None
        return "zero padding: the border is not that of the transformed network, whose zeros are the mean of a signal"


@register
class DeepKernelShaping(Absorbed):
    """C(0) = 0 and C'(1) = slope for the network as a whole."""

    card = SchemeCard(
        name="dks",
        family="data",
        summary="deep kernel shaping: orthogonal inputs stay orthogonal, and angles grow by a chosen factor in all",
        formula=FORMULA + "; α, β from Q'(1) = 1 and C'(1) = slope^(1 / layers), γ, δ from Q(1) = 1 and C(0) = 0",
        assumes=ASSUMES,
        when=WHEN,
        reference="Martens et al. 2021, Rapid training of deep neural networks without skip connections or "
        "normalization layers using Deep Kernel Shaping (arXiv 2110.01765)",
        aliases=("deep_kernel_shaping",),
    )

    slope: float = Field(1.5, gt=1.0, description="C'(1) of the whole network, zeta in the paper")

    def transformation(self, use: ActivationUse, layers: int) -> Tailored:
        """See the class."""
        return shaped(use, self.slope ** (1.0 / layers))


@register
class TailoredActivation(Absorbed):
    """C'(1) = 1 and C''(1) = curvature for the network as a whole."""

    card = SchemeCard(
        name="tat",
        family="data",
        summary="tailored activation transformation: small angles stay, and the kernel bends by a chosen amount in all",
        formula=FORMULA + "; α, β, δ from Q'(1) = 1, C'(1) = 1 and C''(1) = curvature / layers, γ from Q(1) = 1",
        assumes=ASSUMES,
        when=WHEN,
        reference="Zhang et al. 2022, Deep Learning without Shortcuts: Shaping the Kernel with Tailored Rectifiers "
        "(arXiv 2203.08120), for smooth activations",
        aliases=("tailored_activation",),
    )

    curvature: float = Field(0.3, gt=0.0, description="C''(1) of the whole network, tau in the paper")

    def transformation(self, use: ActivationUse, layers: int) -> Tailored:
        """See the class."""
        return tailored(use, self.curvature / layers)


def chain(network: Network) -> tuple[ActivationUse, int]:
    """The activation of a plain network, and how often it stands in it.

    Raises:
        UsageError: the network is no such chain, with what is in the way.
    """
    hint = "variance_scaling and orthogonal take any network; scale and shift the activations yourself in others"
    anatomy = network.anatomy
    odd = next((one for one in anatomy.weights if one.role not in KNOWN), None)
    if anatomy.branches or odd is not None:
        what = "a skip connection" if odd is None else f"{odd.name} ({odd.role})"
        raise UsageError(
            f"{what} is in the way: the transformation of an activation is taken in by the layers on both sides of it, "
            "in a plain chain of linear layers and convolutions",
            hint=hint,
        )
    layers = [one for one in anatomy.weights if one.role in LAYERS]
    depths = {one.depth for one in layers}
    if len(depths) < len(layers) or any(_grouped(network, one) or one.parts or one.aliases for one in layers):
        raise UsageError("the layers are no plain chain: some run side by side, are shared or grouped", hint=hint)
    order = sorted(layers, key=lambda one: one.depth or 0)
    for before, behind in itertools.pairwise(order):
        if _behind(before) != behind.input_activation:
            raise UsageError(
                f"between {before.name} and {behind.name} is more than an activation: what is taken in by one of them "
                "would not arrive at the other",
                hint=hint,
            )
    uses = {use for one in layers for use in (one.input_activation, _behind(one)) if use is not None}
    if len(uses) != 1:
        found = ", ".join(sorted(map(str, uses))) or "none"
        raise UsageError(f"one activation is transformed throughout, and the network has {found}", hint=hint)
    biases = {one.module for one in anatomy.weights if one.role == "bias"}
    bare = next((one.name for one in layers if one.module not in biases), None)
    if bare is not None:
        raise UsageError(f"{bare} has no bias beside it, which would take in the shift of the activation", hint=hint)
    return uses.pop(), sum(_behind(one) is not None for one in layers)


def _behind(weight: Weight) -> ActivationUse | None:
    """The activation behind a layer; one at the output of the network is not the network's to shape."""
    return None if weight.head else weight.output_activation


def _grouped(network: Network, weight: Weight) -> bool:
    return getattr(network.module(weight), "groups", 1) > 1


def _inside(module: object, kernel: tuple[int, ...]) -> bool:
    """Whether the middle tap of a convolution never leaves the image."""
    padding, dilation = getattr(module, "padding", 0), getattr(module, "dilation", 1)
    if isinstance(padding, str):
        return all(extent % 2 for extent in kernel)
    if not isinstance(padding, tuple) or not isinstance(dilation, tuple):
        return False
    return all(width <= step * (extent // 2) for width, step, extent in zip(padding, dilation, kernel, strict=True))
