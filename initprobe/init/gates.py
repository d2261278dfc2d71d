"""Recurrent layers: which side and which gate a parameter belongs to, and how schemes for them draw a matrix."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from initprobe.errors import UsageError
from initprobe.init.distributions import constant, draw, haar
from initprobe.init.fans import fan, scaled_std
from initprobe.init.kernels import from_matrix, matrix_of
from initprobe.records import Part, Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.init.network import Network
    from initprobe.variates import Variates

Side = Literal["input", "hidden"]
Numbers: TypeAlias = "tuple[Tensor, float]"
"""Values of a weight, and the standard deviation that they are drawn with."""

LSTM = ("input_gate", "forget_gate", "cell_gate", "output_gate")
GRU = ("reset_gate", "update_gate", "new_gate")
GATES: Mapping[str, tuple[str, ...]] = {"LSTM": LSTM, "LSTMCell": LSTM, "GRU": GRU, "GRUCell": GRU}
"""Gates in the order of their rows, by torch's classes."""

KERAS = {**GATES, **dict.fromkeys(["GRU", "GRUCell"], ("update_gate", "reset_gate", "new_gate"))}
"""Likewise by Keras' classes, which have no other name for their gates' order."""

SIDES: Mapping[str, Side] = {
    "weight_ih": "input", "bias_ih": "input", "weight_hh": "hidden", "bias_hh": "hidden",
    "kernel": "input", "recurrent_kernel": "hidden", "bias": "input",
}  # fmt: skip
"""By torch's names without the number of the layer, and by Keras' names."""

CELLS = {*GATES, "RNN", "RNNCell", "SimpleRNN", "SimpleRNNCell"}


def known(weight: Weight, network: Network) -> Weight:
    """The record with its side and its gates, also where the traced pass did not tell but the layer's class does.

    Parameters of other layers come back as they are.
    """
    if weight.recurrent is not None or weight.role not in ("recurrent", "bias", "other"):
        return weight
    kinds = [kind for kind in type(network.module(weight)).__mro__ if kind.__name__ in CELLS]
    side = _side(weight)
    if not kinds or side is None:
        return weight
    order = GATES if kinds[0].__module__.startswith("torch.") else KERAS
    names = order.get(kinds[0].__name__, ())
    axis = weight.unit_axis or 0
    size = weight.shape[axis] // max(1, len(names))
    fans = (None, None) if len(weight.shape) < 2 else (float(weight.shape[1 - axis]), float(size))
    parts = tuple(Part(name, axis, ((at * size, (at + 1) * size),), *fans) for at, name in enumerate(names))
    return replace(weight, recurrent=side, parts=parts)


def _side(weight: Weight) -> Side | None:
    local = weight.name.rpartition(".")[2]
    return SIDES.get(re.sub(r"_l[0-9]+(_reverse)?$", "", local))


def is_gate_bias(weight: Weight) -> bool:
    """Whether a parameter is a bias inside of a recurrent layer."""
    inside = weight.recurrent is not None or weight.module_type in CELLS
    return weight.role == "bias" and len(weight.shape) == 1 and inside


def gate_of(weight: Weight) -> str | None:
    """The gate that a part belongs to, None for a layer without gates."""
    return weight.parts[0].name if weight.parts else None


def gates_with_bias(network: Network) -> frozenset[str]:
    """Names of the gates of the network's recurrent layers that have a bias."""
    biases = [known(weight, network) for weight in network.anatomy.weights if is_gate_bias(weight)]
    return frozenset(part.name for weight in biases for part in weight.parts)


def has_hidden(network: Network) -> bool:
    """Whether there is a matrix from a hidden state to the next one."""
    return any(
        known(weight, network).recurrent == "hidden" for weight in network.anatomy.weights if weight.role != "bias"
    )


def check_hidden(network: Network, scheme: str, hint: str) -> None:
    """Make sure that there is a recurrent layer.

    Raises:
        UsageError: there is none.
    """
    if not has_hidden(network):
        raise UsageError(
            f"scheme {scheme!r} is about the hidden matrices of recurrent layers, and this network has none", hint=hint
        )


def forget_bias(weight: Weight, value: float) -> tuple[Tensor, float | None]:
    """A number for the bias of a forget gate, zero for that of any other.

    Torch adds two biases: the one on the side of the hidden state stays zero.
    """
    if gate_of(weight) == "forget_gate" and weight.recurrent == "input":
        return constant(weight.shape, value), None
    return constant(weight.shape, 0.0), 0.0


def glorot(weight: Weight, variates: Variates) -> Numbers:
    """Xavier's uniform numbers, with the fans of one gate."""
    std = math.sqrt(1.0 / fan(weight, "fan_avg"))
    return draw(variates, weight.shape, "uniform", std), std


def orthogonal(weight: Weight, variates: Variates, gain: float) -> Numbers:
    """One semi-orthogonal matrix, times a gain.

    Raises:
        UndrawableError: the weight is no matrix.
    """
    matrix = haar(matrix_of(weight, variates.normal(weight.shape)))
    return from_matrix(weight, matrix).mul_(gain), gain / math.sqrt(max(matrix.shape))


def scaled(weight: Weight, variates: Variates) -> Numbers:
    """What layers that are not recurrent get: variance gain² / fan_in, the gain that of the activation before them."""
    std = scaled_std(weight, "fan_in", "auto")
    return draw(variates, weight.shape, "normal", std), std
