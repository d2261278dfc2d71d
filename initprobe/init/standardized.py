"""Layers that standardize their weights when they run, so that nobody sees the scale that was drawn."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor, nn

    from initprobe.init.network import Network
    from initprobe.init.slots import Slot
    from initprobe.variates import Variates

UNSEEN = "its layer standardizes it, so that the scale that was drawn for its branch is lost"


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
