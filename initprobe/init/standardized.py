"""Standardized filters, and layers that standardize them in every pass, so that nobody sees the scale drawn."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from initprobe.init.fans import UndrawableError
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor, nn

    from initprobe.init.network import Network
    from initprobe.init.slots import Slot
    from initprobe.variates import Variates

UNSEEN = "its layer standardizes it, so that the scale that was drawn for its branch is lost"


def standardized(values: Tensor, std: float, weight: Weight, network: Network) -> Tensor:
    """Filters without their means, all at one standard deviation; float64.

    Raises:
        UndrawableError: the weight has no filters, or they are of one number each.
    """
    from initprobe.parametrizations.base import Filters

    if values.dim() < 2:
        raise UndrawableError(f"a tensor of shape {tuple(values.shape)} has no filters")
    groups = getattr(network.module(weight), "groups", 1) if weight.role == "transposed" else 1
    filters = Filters(weight.unit_axis or 0, groups)
    split = filters.split(values.double())
    centred = split - filters.mean(split)
    variance = filters.mean(centred.square())
    if not bool((variance > 0.0).all()):
        raise UndrawableError("a filter of one weight has no variance to standardize")
    return filters.join(centred * variance.rsqrt() * std)


def standardizes(weight: Weight, network: Network) -> bool:
    """Whether a layer takes mean and scale out of its weight: another mean and scale make no other output.

    A copy of the layer, or of its parametrization, is tried out on random numbers. torch's own layers do not.
    """
    import torch

    slot = network.slots.get(weight.name)
    if slot is None or len(slot.parameters) != 1:
        return False
    if type(slot.module).__module__.startswith("torch.") and not slot.parametrized:
        return False
    variates = network.variates("@standardizes")
    name = next(iter(slot.parameters)).rpartition(".")[2]
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        try:
            layer = deepcopy(slot.module).to("cpu", torch.float64)
            holder = layer.get_submodule(f"parametrizations.{slot.tensor}") if slot.parametrized else layer
            stored = holder.get_parameter(name)
            numbers = variates.normal(tuple(stored.shape)).double()
            made = [_made(layer, slot, stored, values, variates) for values in (numbers, 3.0 * numbers + 1.0)]
        except Exception:  # noqa: BLE001 - a layer is anybody's code, and one that cannot be tried is taken as plain
            return False
    return bool(torch.linalg.norm(made[0] - made[1]) < 1e-3 * torch.linalg.norm(made[0]))


def _made(layer: nn.Module, slot: Slot, stored: nn.Parameter, values: Tensor, variates: Variates) -> Tensor:
    """What the layer makes of a weight: the weight that it sees, or its output for random numbers."""
    for other in layer.parameters():  # a gain of zero would hide everything
        other.fill_(1.0)
    stored.copy_(values)
    if slot.parametrized:
        seen: Tensor = getattr(layer, slot.tensor)
        return seen.clone()
    known: Any = layer
    channels = known.in_channels if hasattr(known, "in_channels") else known.in_features
    extents = getattr(known, "kernel_size", ())
    spread = getattr(known, "dilation", (1,) * len(extents))
    window = tuple((extent - 1) * step + 1 for extent, step in zip(extents, spread, strict=True))
    output: Tensor = known.forward(variates.normal((2, channels, *window)).double())
    return output
