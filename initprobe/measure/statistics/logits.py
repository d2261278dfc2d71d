"""What a softmax makes of logits: how undecided it is between the classes, and how far the logits lie apart."""

import math

import torch

from initprobe.measure.reductions import Numbers, Reduction, Result, View
from initprobe.measure.statistics.base import Statistic, Subject, statistic

OUTPUT: frozenset[Subject] = frozenset(["output"])


def has_classes(view: View) -> bool:
    """Whether an axis counts two classes or more."""
    return view.unit_axis is not None and not view.tensor.is_complex() and view.tensor.shape[view.unit_axis] > 1


def softmax_geometry(view: View) -> Result:
    """``[entropy / ln C, std over classes]``, means over rows; log-probabilities are logits like any others."""
    logits = view.tensor.movedim(view.unit_axis or -1, -1)
    logits = logits.cpu().double() if logits.device.type == "mps" else logits.double()
    shares = torch.softmax(logits, -1)
    entropy = torch.special.entr(shares).sum(-1).mean() / math.log(logits.shape[-1])
    peak = logits.abs().amax()
    scaled = logits / torch.where(peak > 0, peak, 1.0)
    spread = scaled.std(-1, correction=0).mean() * peak
    found = torch.stack([entropy, spread])
    return found.tolist() if found.device.type == "cpu" else found


def _known(numbers: Numbers, place: int) -> float:
    return numbers[place] if math.isfinite(numbers[place]) else math.nan


SOFTMAX = Reduction("softmax_geometry", softmax_geometry, has_classes)

statistic(
    Statistic(
        "class_entropy",
        "entropy of the softmax over classes, as a fraction of ln C",
        SOFTMAX,
        lambda numbers: _known(numbers, 0),
        OUTPUT,
    )
)
statistic(
    Statistic(
        "class_spread",
        "standard deviation of a sample's logits over the classes, in nats",
        SOFTMAX,
        lambda numbers: _known(numbers, 1),
        OUTPUT,
    )
)
