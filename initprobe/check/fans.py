"""Which variance a weight was drawn with: gains that schemes use, and fans that they divide by."""

from __future__ import annotations

import math
from collections.abc import Mapping

from initprobe.activations.guide import recommend
from initprobe.activations.moments import forward_gain, mean
from initprobe.errors import UsageError
from initprobe.records import ActivationUse, Weight

GAINS: Mapping[float, str] = {
    1.0 / 3.0: "torch's default, 1/3",
    1.0: "a linear unit's, 1 (Xavier, LeCun, orthogonal)",
    2.0: "relu's, 2 (He)",
    25.0 / 9.0: "torch's for tanh, 25/9",
    9.0 / 16.0: "torch's for selu, 9/16",
}
"""Variance times fan, as the schemes in use draw it."""


CENTRED = 1e-3
"""The largest value at 0 of an activation that a gain can be right for."""


def needed_gain(use: ActivationUse | None) -> float | None:
    """Variance times fan_in that keeps a signal through layers with that activation.

    None where none does: a sigmoid puts out one half whatever comes in, and no gain keeps its gradient.
    """
    try:
        if use is not None and abs(mean(use, CENTRED**4)) > CENTRED:
            return None
        found = recommend(use).gain
        if found is None and use is not None:
            found = forward_gain(use)
    except UsageError:
        return None
    return found**2 if found is not None and math.isfinite(found) and found > 0 else None


def stored_fans(weight: Weight) -> tuple[float, float]:
    """fan_in and fan_out as ``torch.nn.init`` reads them off a shape, whatever the layer does with it."""
    area = math.prod(weight.shape[2:])
    return float(weight.shape[1] * area), float(weight.shape[0] * area)


def right_fans(weight: Weight) -> tuple[float, ...]:
    """The fans that a scheme may well divide by: in, out and their mean, of the operation and of the shape."""
    stored = stored_fans(weight)
    # A kernel of its own for each channel sums over one channel: what torch calls its fan_out is no fan of it.
    pairs = [(stored[0], stored[0]) if weight.role == "depthwise" else stored]
    if weight.fan_in is not None and weight.fan_out is not None:
        pairs.append((weight.fan_in, weight.fan_out))
    return tuple(dict.fromkeys(value for one, other in pairs for value in (one, other, (one + other) / 2.0)))


def wrong_fans(weight: Weight) -> Mapping[str, float]:
    """Numbers that are taken for a fan by mistake, by what was forgotten."""
    area, (outer, inner) = math.prod(weight.shape[2:]), weight.shape[:2]
    found: dict[str, float] = {}
    if area > 1:
        found["the input channels alone, without the kernel's area"] = inner
        found["the output channels alone, without the kernel's area"] = outer
        found["the kernel's area alone, without the channels"] = area
    if weight.role == "depthwise" and outer > 1:
        found["all channels, though each has a kernel of its own"] = outer * area
    found["the number of its elements"] = outer * inner * area
    return found
