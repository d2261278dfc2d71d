"""Activations that a module computes by hand (``x * torch.sigmoid(x)``): known by their values."""

from __future__ import annotations

import math
from functools import cache
from itertools import product

import numpy as np
import torch

from initprobe.activations.base import ACTIVATIONS, Array
from initprobe.dissect.tape import Node, Tape
from initprobe.hooks import Visit
from initprobe.records import ActivationUse

VALUES = 512
"""Elements that are compared, taken evenly from the tensor."""

CLOSE = 1e-5
"""Largest error relative to the largest value, in float32; narrower dtypes get eight units of their last place."""


NEAR = 1e-2
"""Two activations that differ by less on [-2, 2] are as good as one."""


def settle_handwritten(visit: Visit, node: Node, tape: Tape) -> bool:
    """Let a module without parts and parameters be the activation whose values it puts out, where just one does."""
    if node.effect not in {"other", "scale"} or len(visit.args) != 1:
        return False
    if any(True for _ in visit.module.children()) or any(True for _ in visit.module.parameters()):
        return False
    given, made = visit.args[0], visit.tensor
    if not isinstance(given, torch.Tensor) or given is made:
        return False
    with tape.paused():
        if given.shape != made.shape or not given.is_floating_point() or given.dtype != made.dtype:
            return False
        step = max(1, given.numel() // VALUES)
        x, y = (tensor.reshape(-1)[::step].double().cpu().numpy() for tensor in (given, made))
        use = recognize(x, y, max(CLOSE, 8 * torch.finfo(made.dtype).eps))
    if use is not None:
        source = tape.node_of(given)
        node.effect, node.activation, node.inputs = "activation", use, (source,)
        # In front of the operations that it is made of, some of which are activations themselves.
        source.consumers.insert(0, node)
    return use is not None


def recognize(x: Array, y: Array, close: float = CLOSE) -> ActivationUse | None:
    """The activation f with y = f(x); None where there is none, or where these values do not tell which.

    Args:
        x: values before it, 1-D.
        y: the values behind it.
        close: largest error relative to the largest value.
    """
    with np.errstate(all="ignore"):
        return _recognize(x, y, close)


def _recognize(x: Array, y: Array, close: float) -> ActivationUse | None:
    slack, energy = close * float(np.abs(y).max(initial=0.0)), float(x @ x)
    if not (math.isfinite(slack) and math.isfinite(energy) and slack > 0 < energy):
        return None
    if np.abs(y - x * float(x @ y) / energy).max() <= 100 * slack:
        return None  # any smooth function looks linear on small numbers
    found = [use for use in _candidates() if np.abs(_apply(use, x) - y).max() <= slack]
    # Those that only differ far out (relu and relu6) or hardly at all (both forms of gelu) are as good as one.
    near = np.linspace(-2.0, 2.0, 65)
    alike = all(np.abs(_apply(use, near) - _apply(found[0], near)).max() < NEAR for use in found)
    return found[0] if found and alike else None


def _apply(use: ActivationUse, x: Array) -> Array:
    value = ACTIVATIONS.find(use.name).value
    if value is None:
        raise ValueError(f"{use.name} does not act on one number at a time")
    return value(x, **dict(use.options))


@cache
def _candidates() -> tuple[ActivationUse, ...]:
    """Every elementwise activation with its default options, and with every choice of those that are words.

    Of those that are one function by default (elu and celu, relu and threshold) the shortest name stays.
    """
    grid = np.linspace(-8.0, 8.0, 129)
    uses: dict[bytes, ActivationUse] = {}
    for name in sorted(ACTIVATIONS, key=len):
        leaf = ACTIVATIONS.find(name)
        if leaf.value is None:
            continue
        for words in product(*leaf.choices.values()):
            chosen = zip(leaf.choices, words, strict=True)
            use = ActivationUse(name, tuple((key, word) for key, word in chosen if word != leaf.options[key]))
            uses.setdefault(np.round(_apply(use, grid), 9).tobytes(), use)
    return tuple(uses.values())
