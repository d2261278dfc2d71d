"""What operations make of the mean and the variance of their inputs, where a formula says so."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from initprobe.activations.moments import NotElementwiseError, moments_around
from initprobe.dissect.tape import Node
from initprobe.operations import EMBEDDINGS, MULTIPLYING, NORMS, Effect, bind, short_name


@dataclass(frozen=True, slots=True)
class Moments:
    """Of one value of a pass, over samples, places and units together.

    Attributes:
        mean, variance: those two.
        sources: the products and inputs that it depends on, as far back as the last weights; values that share none are
            independent.
    """

    mean: float
    variance: float
    sources: frozenset[int] = frozenset()

    @property
    def second(self) -> float:
        """The second moment."""
        return self.variance + self.mean**2


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a function.

    Attributes:
        node: what it made, on the tape.
        args, kwargs: what it was called with.
        before: the moments of the tensors it was made from, None for what is no signal.
        of: the moments of one of the arguments, None where it has none.
    """

    node: Node
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    before: tuple[Moments | None, ...]
    of: Callable[[Any], Moments | None]


Rule = Callable[[Step], Moments | None]
"""Answers with None where it has no formula for this call."""


def derive(step: Step) -> Moments | None:
    """The moments of what a call made, None where no formula says."""
    rule = BY_NAME.get(short_name(step.node.name)) or BY_EFFECT.get(step.node.effect)
    return None if rule is None else rule(step)


def own_moments(tensor: torch.Tensor) -> tuple[float, float]:
    """Mean and variance of numbers that are there; both zero where there are none."""
    values = tensor.detach().double()
    return (float(values.mean()), float(values.var(correction=0))) if values.numel() else (0.0, 0.0)


def _handed_on(step: Step) -> Moments | None:
    """All values, or some of them."""
    return step.before[0] if step.before else None


def _activated(step: Step) -> Moments | None:
    """By quadrature over a normal distribution of the same mean and variance."""
    first = step.before[0]
    if (
        first is None
        or step.node.activation is None
        or not (math.isfinite(first.mean) and math.isfinite(first.variance))
    ):
        return None
    try:
        mean, second = moments_around(step.node.activation, first.mean, first.variance)
    except NotElementwiseError:
        return None
    return Moments(mean, max(second - mean * mean, 0.0))


def _looked_up(step: Step) -> Moments | None:
    """The rows of a table are alike."""
    table = bind(EMBEDDINGS[step.node.name], step.args, step.kwargs).get("weight")
    return Moments(*own_moments(table)) if isinstance(table, torch.Tensor) else None


def _normalized(step: Step) -> Moments | None:
    """(0, 1), times the scale, plus the shift; root-mean-square normalization keeps the sign of the mean.

    Batch normalization that uses its running statistics normalizes nothing of this batch, and is measured.
    """
    first, short = step.before[0], short_name(step.node.name)
    given = bind((*NORMS[step.node.name], "training"), step.args, step.kwargs)
    running = short == "batch_norm" and given.get("training") is not True
    if first is None or running or short not in {"batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"}:
        return None
    mean = first.mean / math.sqrt(first.second) if short == "rms_norm" and first.second > 0.0 else 0.0
    scale, shift = given.get("weight"), given.get("bias")
    gain = Moments(*own_moments(scale)) if isinstance(scale, torch.Tensor) else Moments(1.0, 0.0)
    offset = Moments(*own_moments(shift)) if isinstance(shift, torch.Tensor) else Moments(0.0, 0.0)
    return Moments(gain.mean * mean + offset.mean, gain.second - (gain.mean * mean) ** 2 + offset.variance)


def _dropped(step: Step) -> Moments | None:
    """Zero with probability p, 1 / (1 - p) times itself otherwise: the mean stays and the second moment grows."""
    before = step.before[0]
    given = bind(("input", "p", "training"), step.args, step.kwargs)
    share = float(given.get("p", 0.5))
    if before is None or not given.get("training", True) or share == 0.0:
        return before
    if share >= 1.0:
        return Moments(0.0, 0.0)
    return Moments(before.mean, (before.variance + before.mean**2 * share) / (1.0 - share))


def _negated(step: Step) -> Moments | None:
    before = step.before[0]
    return None if before is None else Moments(-before.mean, before.variance)


def _operands(step: Step) -> tuple[Moments, Moments] | None:
    """Both operands, None where they are not independent."""
    one, other = (step.of(value) for value in (*step.args, None, None)[:2])
    if one is None or other is None or one.sources & other.sources:
        return None
    return one, other


def _summed(step: Step) -> Moments | None:
    """Means add, and so do variances of what is independent."""
    short = short_name(step.node.name)
    operands = _operands(step)
    if operands is None or step.kwargs.get("alpha", 1) != 1 or not any(word in short for word in ("add", "sub")):
        return None
    if short.startswith("addc"):
        return None
    one, other = operands
    sign = -1.0 if "sub" in short else 1.0
    return Moments(one.mean + sign * other.mean, one.variance + other.variance)


def _multiplied(step: Step) -> Moments | None:
    """Of independent factors both moments multiply."""
    operands = _operands(step)
    if operands is None:
        return None
    one, other = operands
    if "div" in short_name(step.node.name):
        if other.variance > 0.0 or other.mean == 0.0:
            return None
        other = Moments(1.0 / other.mean, 0.0)
    mean = one.mean * other.mean
    return Moments(mean, max(one.second * other.second - mean * mean, 0.0))


def _concatenated(step: Step) -> Moments | None:
    """The mixture of the values side by side, by their sizes."""
    parts = [
        (math.prod(source.shape), one)
        for source, one in zip(step.node.inputs, step.before, strict=True)
        if one is not None
    ]
    size = sum(share for share, _ in parts)
    if len(parts) < len(step.before) or not size:
        return None
    mean = sum(share * one.mean for share, one in parts) / size
    return Moments(mean, sum(share * one.second for share, one in parts) / size - mean * mean)


MOVES = (
    "__getitem__ narrow select index_select chunk split unbind tensor_split flip roll pixel_shuffle pixel_unshuffle "
    "channel_shuffle"
)
"""Operations that hand values on, all or some of them."""

DROPOUTS = "dropout dropout_ dropout1d dropout2d dropout3d feature_dropout"

BY_EFFECT: Mapping[Effect, Rule] = {
    "view": _handed_on,
    "activation": _activated,
    "embedding": _looked_up,
    "norm": _normalized,
    "sum": _summed,
    "scale": _multiplied,
}
BY_NAME: Mapping[str, Rule] = {
    **dict.fromkeys(MOVES.split(), _handed_on),
    **dict.fromkeys(DROPOUTS.split(), _dropped),
    **dict.fromkeys(("neg", "__neg__"), _negated),
    **dict.fromkeys(("cat", "concat", "concatenate"), _concatenated),
    **dict.fromkeys(MULTIPLYING, _multiplied),
}
