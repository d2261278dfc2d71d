"""What Keras' own layers draw when they are built."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.distributions import constant, haar, uniform
from initprobe.init.fans import UndrawableError
from initprobe.init.gates import is_gate_bias, known
from initprobe.init.kernels import CONVOLUTIONS, from_matrix, kernel_of, matrix_of
from initprobe.init.packed import rows
from initprobe.init.schemes.base import EMBEDDINGS_TOO, Filled, Scheme, SchemeCard, Treatment, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates

EMBEDDING_LIMIT = 0.05


@register
class KerasDefault(Scheme):
    """The default initializers of every Keras layer, with the fans that Keras reads off its shapes."""

    card = SchemeCard(
        name="keras_default",
        family="classical",
        summary="what Keras' layers draw when they are built, with Keras' own fans",
        formula="W ~ U(±√(6 / (fan_in + fan_out))); hidden matrices semi-orthogonal, all gates as one matrix; input "
        "matrices with the fan_out of all gates; embedding: U(±0.05); forget gate's bias 1, other biases 0",
        assumes="nothing: it is a habit of the library. Its fans are not the operator's: a depthwise convolution's "
        "fan_in counts all channels, a grouped one's fan_out all outputs, and strides count nowhere",
        when="to compare with a Keras model, or as the baseline that one has; behind relu the variance is half of He's",
        reference="keras.layers (3.15): the default initializers of each layer; keras.src.initializers.compute_fans",
        aliases=("keras",),
    )
    treatments = EMBEDDINGS_TOO

    unit_forget_bias: bool = Field(default=True, description="the bias of an LSTM's forget gate is 1 and not 0")

    def treatment(self, weight: Weight) -> Treatment:
        """Biases of gates are drawn; see ``Scheme.treatment``."""
        return "draw" if is_gate_bias(weight) else super().treatment(weight)

    def fill_chosen(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Query, key and value are layers of their own in Keras; gates are one matrix there."""
        if weight.attention is not None:
            return super().fill_chosen(weight, network, variates)
        return self.fill_weight(known(weight, network), network, variates)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Numbers by what the parameter is.

        Raises:
            UndrawableError: its layout is not known.
        """
        if weight.role == "bias":
            return self._bias(weight)
        if weight.role == "embedding":
            return Filled(uniform(variates, weight.shape, EMBEDDING_LIMIT), EMBEDDING_LIMIT / math.sqrt(3.0))
        if weight.recurrent == "hidden":
            matrix = matrix_of(weight, variates.normal(weight.shape))
            return Filled(from_matrix(weight, haar(matrix)), 1.0 / math.sqrt(max(matrix.shape)))
        limit = math.sqrt(6.0 / max(2.0, sum(keras_fans(weight, network))))
        return Filled(uniform(variates, weight.shape, limit), limit / math.sqrt(3.0))

    def _bias(self, weight: Weight) -> Filled:
        values = constant(weight.shape, 0.0)
        forget = [part for part in weight.parts if part.name == "forget_gate" and weight.recurrent == "input"]
        if not forget or not self.unit_forget_bias:
            return Filled(values, 0.0)
        values[rows(forget[0])] = 1.0
        return Filled(values, None)


def keras_fans(weight: Weight, network: Network) -> tuple[float, float]:
    """Keras' fan_in and fan_out, which know neither groups nor strides.

    Raises:
        UndrawableError: the layout of the weight is not known.
    """
    if weight.role == "depthwise" and weight.unit_axis is None:  # in Keras' own layout
        return float(math.prod(weight.shape[:-1])), float(math.prod(weight.shape[:-2]) * weight.shape[-1])
    if weight.role in CONVOLUTIONS:
        kernel = kernel_of(weight, network)
        taps = math.prod(kernel.taps)
        if weight.role == "depthwise":  # its kernel is (..., channels, multiplier) in Keras
            return float(kernel.groups * taps), float(kernel.outputs * taps)
        outputs = kernel.outputs * (1 if kernel.split else kernel.groups)
        inputs = kernel.inputs * (kernel.groups if kernel.split else 1)
        return float(inputs * taps), float(outputs * taps)
    if len(weight.shape) == 2:
        return float(weight.shape[0]), float(weight.shape[1])  # whichever is which: only their sum counts
    if weight.fan_in is None or weight.fan_out is None:
        raise UndrawableError(f"a tensor of shape {weight.shape} that nothing was seen to use has no known fans")
    return weight.fan_in, weight.fan_out
