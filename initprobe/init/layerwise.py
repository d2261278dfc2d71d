"""Layers whose output one weight makes alone: what they put out, and how they are rescaled."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from initprobe.errors import UsageError
from initprobe.hooks import tensors_in
from initprobe.init.fans import UndrawableError
from initprobe.init.network import Network
from initprobe.init.slots import Slot
from initprobe.records import MATRIX_ROLES

OTHERWISE = "a larger or more varied batch may help; `only` or an override leaves the layer to another scheme"


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer whose output is being adjusted: product + bias.

    Attributes:
        weight: its weight.
        bias: its bias, None where it has none.
        free: whether the scheme drew that bias, and may change it.
        unit_axis: the axis of the output that counts its units, negative.
        entered: what it was called on, None where that is no tensor.
    """

    weight: Slot
    bias: Slot | None
    free: bool
    unit_axis: int
    entered: torch.Tensor | None = None

    @property
    def name(self) -> str:
        """Its path, as messages show it."""
        return repr(self.weight.weight.module or self.weight.tensor)


class Moments(NamedTuple):
    """Mean and variance (over all samples and places, not bias-corrected), float64, on the CPU."""

    mean: torch.Tensor
    variance: torch.Tensor


def find_layers(network: Network, slots: Iterable[Slot]) -> dict[nn.Module, Layer]:
    """Modules whose output is the product of one weight among ``slots``, with or without a bias added."""
    axes = {
        (site.path, site.weight): site.unit_axis
        for site in network.anatomy.sites
        if site.kind == "weighted" and site.operation is None and site.unit_axis is not None
    }
    drawn = {slot.weight.name for slot in slots}
    held: dict[nn.Module, list[Slot]] = {}
    for slot in network.slots.values():
        held.setdefault(slot.module, []).append(slot)
    layers = {}
    for module, found in held.items():
        weights = [slot for slot in found if slot.weight.role in MATRIX_ROLES and not slot.in_norm]
        biases = [slot for slot in found if slot.weight.role == "bias"]
        if len(weights) != 1 or len(biases) > 1 or weights[0].weight.name not in drawn:
            continue
        keys = [(weights[0].weight.module, name) for name in _names(weights[0])]
        axis = next((axes[key] for key in keys if key in axes), None)
        if axis is not None and not isinstance(module, torch.jit.ScriptModule):
            bias = biases[0] if biases else None
            free = bias is not None and bias.weight.name in drawn and not bias.parametrized
            layers[module] = Layer(weights[0], bias, free, axis)
    return layers


def check_layers(network: Network, scheme: str) -> None:
    """Make sure that there is a layer to adjust.

    Raises:
        UsageError: there is none.
    """
    if not any(weight.role in MATRIX_ROLES for weight in network.anatomy.weights):
        raise UsageError(
            f"{scheme} adjusts the outputs of linear and convolutional layers, and the network has none",
            hint="orthogonal and variance_scaling look at no outputs",
        )


def check_adjusted(layers: Sequence[Slot], scheme: str) -> None:
    """Make sure that a walk met layers.

    Raises:
        UsageError: it met none.
    """
    if not layers:
        raise UsageError(
            f"{scheme} found no layer to adjust: no module puts out the product of one weight that it drew",
            hint="use nn.Linear and convolutions as modules, or a scheme that looks at no outputs",
        )


def moments(layer: Layer, output: torch.Tensor) -> Moments:
    """Of a layer's whole output, one number each.

    Raises:
        UsageError: it is not finite, or the same number everywhere.
    """
    variance, mean = torch.var_mean(_wide(output), correction=0)
    found = Moments(mean.cpu().double(), variance.cpu().double())
    _check(layer, found)
    return found


def unit_moments(layer: Layer, output: torch.Tensor) -> Moments:
    """Of each unit of a layer's output, vectors; the variance of a unit that does not vary is 0.

    Raises:
        UsageError: they are not finite, or no unit varies.
    """
    rows = _wide(output).movedim(layer.unit_axis, 0).flatten(1)
    # In two steps: a mean that is large against the spread takes the digits of float32.
    rough = rows.mean(1)
    variance, rest = torch.var_mean(rows - rough.unsqueeze(1), 1, correction=0)
    mean, variance = rough.cpu().double() + rest.cpu().double(), variance.cpu().double()
    # What rounding leaves of a constant is no spread.
    variance[variance.sqrt() <= 4.0 * torch.finfo(rows.dtype).eps * mean.abs()] = 0.0
    found = Moments(mean, variance)
    _check(layer, found)
    return found


def first_floats(output: object) -> torch.Tensor:
    """The first floating-point tensor of a model's output.

    Raises:
        UsageError: there is none.
    """
    found = next((tensor for _, tensor in tensors_in(output) if tensor.is_floating_point() and tensor.numel()), None)
    if found is None:
        raise UsageError("the model puts out no floating-point numbers, so that nothing can be calibrated on them")
    return found


def rescaled(
    layer: Layer, output: torch.Tensor, factor: torch.Tensor, shift: torch.Tensor | None
) -> tuple[torch.Tensor, list[str]]:
    """Multiply a layer's output by positive numbers and add others, in its parameters.

    Args:
        layer: the layer.
        output: what it puts out now.
        factor: a number or one per unit.
        shift: likewise; left out where the layer has no bias that may be changed.

    Returns:
        The output that it now makes, and the names of the parameters that changed.

    Raises:
        UndrawableError: the weight cannot be changed so.
    """
    units, factor = output.shape[layer.unit_axis], factor.detach().double().cpu()
    bias = torch.zeros((), dtype=torch.float64) if layer.bias is None else layer.bias.read().double().flatten()
    if layer.bias is not None and bias.numel() != units:
        raise UndrawableError(f"its bias has {bias.numel()} numbers for {units} units")
    names = scale_weight(layer.weight, over_weight(layer, factor))
    added = bias - bias * factor  # a foreign bias stays as it is
    if layer.bias is not None and layer.free:
        added = torch.zeros(()) if shift is None else shift.double().cpu()
        values = (bias * factor + added).expand(bias.shape).reshape(layer.bias.weight.shape)
        with torch.no_grad():
            layer.bias.write(values)
        names += layer.bias.parameters
    wide = _wide(output)
    made = wide * _along(factor, layer.unit_axis, wide) + _along(added, layer.unit_axis, wide)
    return made.to(output.dtype), names


def over_weight(layer: Layer, factor: torch.Tensor) -> torch.Tensor:
    """A number, or one per unit of the output, shaped to be multiplied with the layer's weight.

    Raises:
        UndrawableError: the weight has no axis for them.
    """
    record = layer.weight.weight
    axis, units = record.unit_axis, factor.numel()
    if factor.dim() == 0:
        return factor
    if axis is not None and record.shape[axis] == units:
        return factor.reshape([-1 if place == axis else 1 for place in range(len(record.shape))])
    groups = getattr(layer.weight.module, "groups", 1)
    if record.role == "transposed" and axis == 1 and record.shape[1] * groups == units:
        spread = factor.reshape(groups, -1).repeat_interleave(record.shape[0] // groups, 0)
        return spread.reshape(*spread.shape, *[1] * (len(record.shape) - 2))
    raise UndrawableError(f"its {units} units are not those of its shape {record.shape}")


def scale_weight(slot: Slot, factor: torch.Tensor) -> list[str]:
    """Multiply a weight by positive numbers; the names of the parameters that changed.

    Of a weight with weight normalization that is its length, and its direction stays as it is.

    Raises:
        UndrawableError: its parametrization does not keep the product.
    """
    length = _length(slot, factor)
    with torch.no_grad():
        if length is not None:
            name, parameter = length
            parameter.copy_(parameter.double() * factor.to(parameter.device))
            return [name]
        slot.write(slot.read().double() * factor.cpu())
    return list(slot.parameters)


def _length(slot: Slot, factor: torch.Tensor) -> tuple[str, nn.Parameter] | None:
    """The length of a weight under weight normalization, where the factor is one per length."""
    if not slot.parametrized:
        return None
    steps = slot.module.get_submodule(f"parametrizations.{slot.tensor}")
    if not isinstance(steps, nn.ModuleList) or [type(step).__name__ for step in steps] != ["_WeightNorm"]:
        return None
    name, parameter = next(iter(slot.parameters.items()))
    fits = factor.dim() == 0 or tuple(factor.shape) == tuple(parameter.shape)
    return (name, parameter) if fits else None


def _names(slot: Slot) -> tuple[str, ...]:
    return (slot.weight.name, *slot.parameters, *slot.weight.aliases)


def _along(values: torch.Tensor, axis: int, like: torch.Tensor) -> torch.Tensor:
    """One number, or one per unit, shaped to be added to an output."""
    values = values.to(like.device, like.dtype)
    return values if values.numel() == 1 else values.reshape(-1, *[1] * (-axis - 1))


def _wide(output: torch.Tensor) -> torch.Tensor:
    return output.detach().to(torch.promote_types(output.dtype, torch.float32))


def _check(layer: Layer, found: Moments) -> None:
    if not math.isfinite(float(found.mean.sum()) + float(found.variance.sum())):
        raise UsageError(
            f"{layer.name} puts out numbers that are not finite, before it is adjusted",
            hint="look at the input, or at what comes before the layer (initprobe check tells where it starts)",
        )
    if not bool((found.variance > 0.0).any()):
        what = "zero for every sample" if not bool(found.mean.any()) else "the same for every sample"
        raise UsageError(f"what {layer.name} puts out is {what}: no factor gives it variance 1", hint=OTHERWISE)
