"""Weights that the traced pass did not use: what their shape, their module and their siblings tell."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from initprobe.dissect.norms import is_called_norm
from initprobe.dissect.products import convolution_fans, is_depthwise
from initprobe.records import Role, Weight


def weight_from_shape(known: dict[str, Any], module: nn.Module) -> Weight:
    """What a parameter's shape tells when the pass did not use it, in torch's conventions."""
    shape, last = known["shape"], known["name"].rpartition(".")[2]
    if len(shape) < 2:
        kind: Role = "bias" if "bias" in last else "norm" if is_called_norm(module) else "other"
        return Weight(role=kind, traced=False, **known)
    found = _fans_from_shape(shape, module)
    if found is None:
        return Weight(role="other", traced=False, **known)
    role, fan_in, fan_out, axis = found
    return Weight(role=role, fan_in=fan_in, fan_out=fan_out, unit_axis=axis, traced=False, **known)


_GATES = ((nn.LSTM, 4), (nn.LSTMCell, 4), (nn.GRU, 3), (nn.GRUCell, 3), (nn.RNNBase, 1), (nn.RNNCellBase, 1))


def _fans_from_shape(shape: tuple[int, ...], module: nn.Module) -> tuple[Role, float, float, int] | None:
    """Role, fans and unit axis; None where neither the module nor two axes tell."""
    if isinstance(module, nn.modules.conv._ConvNd):  # noqa: SLF001 the only name of all convolutions
        near, far = convolution_fans(shape, module.groups, math.prod(module.stride))
        if module.transposed:
            return "transposed", far, near, 1
        return "depthwise" if is_depthwise(shape, module.groups) else "conv", near, far, 0
    if len(shape) != 2:
        return None
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return "embedding", 1.0, float(shape[1]), 1
    gates = next((number for kind, number in _GATES if isinstance(module, kind)), None)
    return "linear" if gates is None else "recurrent", float(shape[1]), shape[0] / (gates or 1), 0


_INDEX = re.compile(r"(?<=\.)[0-9]{1,9}(?=\.)")
_KIND = (
    "role", "fan_in", "fan_out", "unit_axis", "input_activation", "output_activation", "parts", "attention",
    "recurrent", "gated",
)  # fmt: skip
_PLACE = ("branch", "tail", "depth")


def like_siblings(weights: Sequence[Weight]) -> tuple[Weight, ...]:
    """Weights of which one was not used, as an expert that no token was sent to, take what all their siblings share.

    Siblings have names that differ in one index and equal shapes. Where two or more of them stand in the same branch
    (experts side by side, not blocks one behind the other), so does the one that was not used.
    """
    groups: dict[tuple[str, str, tuple[int, ...], str], list[Weight]] = defaultdict(list)
    for weight in weights:
        if weight.traced:
            for key in _patterns(weight):
                groups[key].append(weight)
    return tuple(weight if weight.traced else _like(weight, groups) for weight in weights)


def _like(weight: Weight, groups: dict[tuple[str, str, tuple[int, ...], str], list[Weight]]) -> Weight:
    siblings = max((groups[key] for key in _patterns(weight) if key in groups), key=len, default=[])
    if not siblings:
        return weight
    side_by_side = len(siblings) > 1 and siblings[0].branch is not None and _shared(siblings, "branch")
    names = _KIND + (_PLACE if side_by_side else ())
    shared: dict[str, Any] = {name: getattr(siblings[0], name) for name in names if _shared(siblings, name)}
    return replace(weight, **shared)


def _shared(siblings: list[Weight], name: str) -> bool:
    return all(getattr(one, name) == getattr(siblings[0], name) for one in siblings)


def _patterns(weight: Weight) -> list[tuple[str, str, tuple[int, ...], str]]:
    name = f".{weight.name}"
    return [
        (name[: found.start()], name[found.end() :], weight.shape, weight.module_type)
        for found in _INDEX.finditer(name)
    ]
