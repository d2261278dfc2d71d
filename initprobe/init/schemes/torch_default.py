"""What torch's own layers draw when they are built."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from initprobe.init.distributions import Distribution, Shape, constant, draw
from initprobe.init.fans import UndrawableError
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import nn

    from initprobe.init.network import Network
    from initprobe.variates import Variates


@dataclass(frozen=True, slots=True)
class Law:
    """What one parameter is drawn from: a distribution with mean zero, or a constant."""

    std: float = 0.0
    distribution: Distribution = "uniform"
    value: float = 0.0

    def fill(self, shape: Shape, variates: Variates) -> Filled:
        """Numbers of that law."""
        values = draw(variates, shape, self.distribution, self.std) if self.std else constant(shape, self.value)
        return Filled(values, self.std)


ZERO, ONE = Law(), Law(value=1.0)


def within(fan_in: float) -> Law:
    """U(-1 / √fan_in, 1 / √fan_in), which is what kaiming_uniform_ with a = √5 comes to; zero without a fan."""
    return Law(1.0 / math.sqrt(3.0 * fan_in)) if fan_in > 0 else ZERO


def xavier(shape: Shape, distribution: Distribution) -> Law:
    """Xavier with the fans that torch reads off the shape."""
    receptive = math.prod(shape[2:])
    return Law(math.sqrt(2.0 / ((shape[0] + shape[1]) * receptive)), distribution)


def linear(module: Any, _name: str, _shape: Shape) -> Law:
    """Weight and bias alike."""
    return within(module.in_features)


def output_projection(module: Any, name: str, shape: Shape) -> Law:
    """The linear layer inside MultiheadAttention, whose bias that one sets to zero."""
    return ZERO if name == "bias" else linear(module, name, shape)


def convolution(module: Any, _name: str, _shape: Shape) -> Law:
    """Weight and bias alike; for a transposed one torch's fan is that of the second axis, its output channels."""
    channels = module.out_channels if module.transposed else module.in_channels
    return within(channels // module.groups * math.prod(module.kernel_size))


def bilinear(module: Any, _name: str, _shape: Shape) -> Law:
    """Weight and bias alike."""
    return within(module.in1_features)


def recurrent(module: Any, _name: str, _shape: Shape) -> Law:
    """Every parameter alike."""
    return within(module.hidden_size)


def embedding(_module: Any, _name: str, _shape: Shape) -> Law:
    """The table."""
    return Law(1.0, "normal")


def normalization(_module: Any, name: str, _shape: Shape) -> Law:
    """Scale and shift."""
    return ONE if name == "weight" else ZERO


def attention(_module: Any, name: str, shape: Shape) -> Law:
    """The packed or separate projections of query, key and value."""
    if name in ("bias_k", "bias_v"):
        return xavier(shape, "normal")
    return ZERO if name == "in_proj_bias" else xavier(shape, "uniform")


def slope(module: Any, _name: str, _shape: Shape) -> Law:
    """PReLU's slope."""
    return Law(value=float(module.init))


LAWS: Mapping[str, Callable[[Any, str, Shape], Law]] = {
    "NonDynamicallyQuantizableLinear": output_projection,
    "Linear": linear,
    "_ConvNd": convolution,
    "Bilinear": bilinear,
    "RNNBase": recurrent,
    "RNNCellBase": recurrent,
    "Embedding": embedding,
    "EmbeddingBag": embedding,
    "_NormBase": normalization,
    "LayerNorm": normalization,
    "GroupNorm": normalization,
    "RMSNorm": normalization,
    "MultiheadAttention": attention,
    "PReLU": slope,
}
"""By the class that torch defines; classes derived from it follow it."""


@register
class TorchDefault(Scheme):
    """The reset_parameters of every torch layer, each parameter from its own generator."""

    card = SchemeCard(
        name="torch_default",
        family="classical",
        summary="what torch's layers draw when they are built, biases included",
        formula="linear, conv: W, b ~ U(±1 / √fan_in); recurrent: U(±1 / √hidden); embedding: N(0, 1); norms: 1, 0; "
        "attention: Xavier on the packed in_proj; nn.Transformer: Xavier, uniform, for all its matrices",
        assumes="nothing: it is a habit of the library, kept for old results",
        when="as the baseline that an untouched model has: under relu the variance is a sixth of He's, and the forward "
        "signal of a deep network is soon made of biases alone",
        reference="torch.nn: reset_parameters of each layer; see pytorch#57109 for where it comes from",
        aliases=("torch",),
    )

    def fill(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Whatever torch's own class of the module draws for this parameter, whatever its role.

        Raises:
            UndrawableError: the module is none of torch's.
        """
        return self.fill_weight(weight, network, variates)

    def fill_chosen(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """The same: torch's layers know each of their parameters, and draw packed ones in one go."""
        return self.fill_weight(weight, network, variates)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """See ``fill``."""
        if len(weight.shape) > 1 and _in_transformer(weight, network):
            return xavier(weight.shape, "uniform").fill(weight.shape, variates)
        module = network.module(weight)
        law = next((LAWS[name] for name in _torch_classes(module) if name in LAWS), None)
        if law is None:
            raise UndrawableError(f"{weight.module_type} is no layer of torch: it has no default to follow")
        return law(module, weight.name.rpartition(".")[2], weight.shape).fill(weight.shape, variates)


def _in_transformer(weight: Weight, network: Network) -> bool:
    """Whether a weight lies in an nn.Transformer, which draws all of its matrices anew."""
    from torch import nn

    parts = weight.module.split(".")
    paths = ["", *(".".join(parts[:end]) for end in range(1, len(parts) + 1))]
    return any(isinstance(network.model.get_submodule(path), nn.Transformer) for path in paths)


def _torch_classes(module: nn.Module) -> list[str]:
    """Names of the classes that torch defines among those a module derives from, nearest first."""
    return [kind.__name__ for kind in type(module).__mro__ if kind.__module__.startswith("torch.")]
