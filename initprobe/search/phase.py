"""Measures a phase diagram: networks on a coarse grid of weight and bias variances, probed like any other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pydoc import locate
from typing import Any

import numpy as np
import torch
from torch import nn

from initprobe.activations import moments
from initprobe.activations.base import ACTIVATIONS, Elementwise
from initprobe.load.sources.python import python_target
from initprobe.pipeline import Listener, probe_target
from initprobe.predict.mean_field import settled
from initprobe.records import (
    ActivationUse,
    Estimate,
    PhaseDiagram,
    PhasePoint,
    ProbeRequest,
    Request,
    SiteSummary,
    TargetRequest,
)

WIDTH, DEPTH, BATCH, SEEDS = 256, 12, 64, 3

COLUMNS, ROWS = (0.1, 0.26, 0.42, 0.58, 0.74, 0.9), (0.1, 0.37, 0.64, 0.91)
"""Where the points lie, as shares of the axes."""


def measured(diagram: PhaseDiagram, use: ActivationUse, listen: Listener = lambda _line: None) -> PhaseDiagram:
    """The same diagram with what networks of width 256 do at 24 points of the plane.

    Every network begins with a signal at its fixed point, or of second moment 1 where it has none, so that the gradient
    is multiplied by the same factor in every layer.

    Args:
        diagram: of that activation.
        use: the activation with its options.
        listen: hears what happens next.

    Raises:
        TargetError: the activation cannot be run on tensors.
    """
    width, height = diagram.weight_variance[-1], diagram.bias_variance[-1]
    places = [(column * width, row * height) for row in ROWS for column in COLUMNS]
    points = []
    for place, (weight, bias) in enumerate(places, 1):
        listen(f"point {place} of {len(places)}: sigma_w² {weight:.3g}, sigma_b² {bias:.3g}")
        points.append(measure_point(use, weight, bias))
    return replace(diagram, measured=tuple(points))


def measure_point(use: ActivationUse, weight_variance: float, bias_variance: float) -> PhasePoint:
    """The factor on the squared gradient per layer at one point of the plane; raises like ``measured``."""
    end = settled(use, weight_variance, bias_variance)
    second = moments.second_moment(use, end.q) if end is not None and end.q > 0.0 else 1.0
    target = python_target(
        lambda: _network(use, weight_variance, bias_variance, second), name=str(use), request=TargetRequest(str(use))
    )
    probe = ProbeRequest(seeds=tuple(range(SEEDS)), max_seeds=SEEDS, batch=BATCH)
    entry = probe_target(target, Request(TargetRequest(str(use)), probe=probe))
    rates = _rates([summary for summary in entry.sites if summary.site.weight is not None])
    expected = None if end is None else end.chi
    if not rates:
        return PhasePoint(weight_variance, bias_variance, expected, None)
    centre = float(np.mean(rates))
    margin = 2.0 * float(np.std(rates, ddof=1)) / math.sqrt(len(rates))
    return PhasePoint(
        weight_variance,
        bias_variance,
        expected,
        math.exp(centre),
        math.exp(centre - margin),
        math.exp(centre + margin),
    )


def _rates(layers: Sequence[SiteSummary]) -> list[float]:
    """The logarithm of the factor on the squared gradient per layer, for each seed; empty where a gradient is lost."""
    ends = [(layer.backward or {}).get("rms") for layer in (layers[0], layers[-1])]
    first, last = (end.per_seed if isinstance(end, Estimate) else () for end in ends)
    ratios = [start / stop if stop else math.nan for start, stop in zip(first, last, strict=True)]
    if not all(0.0 < ratio < math.inf for ratio in ratios):
        return []
    return [2.0 * math.log(ratio) / (len(layers) - 1) for ratio in ratios]


def _network(
    use: ActivationUse, weight_variance: float, bias_variance: float, second: float
) -> tuple[nn.Module, torch.Tensor]:
    """Layers with these variances, drawn from torch's generator, and inputs of a second moment."""
    layers: list[nn.Module] = []
    for _ in range(DEPTH):
        linear = nn.Linear(WIDTH, WIDTH)
        nn.init.normal_(linear.weight, std=math.sqrt(weight_variance / WIDTH))
        nn.init.normal_(linear.bias, std=math.sqrt(bias_variance))
        layers += [linear, _module(use)]
    return nn.Sequential(*layers[:-1]), torch.randn(BATCH, WIDTH) * math.sqrt(second)


def _module(use: ActivationUse) -> nn.Module:
    """What computes an activation: torch's module or function where it has one, else the function that is known."""
    leaf, options = ACTIVATIONS.find(use.name), moments.resolved_options(use)
    if leaf.modules:
        made = locate(leaf.modules[0])
        if isinstance(made, type) and issubclass(made, nn.Module):
            return made(**options)
    found = locate(next(iter(leaf.functions))) if leaf.functions else None
    return _Called(found) if callable(found) else _Called(_differentiable(leaf.value, leaf.derivative, options))


class _Called(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def _differentiable(
    value: Elementwise | None, derivative: Elementwise | None, options: dict[str, Any]
) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function of arrays and its derivative as a function of tensors with a gradient."""

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            ctx.save_for_backward(x)
            return _on_arrays(value, x, options)

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> torch.Tensor:
            (x,) = ctx.saved_tensors
            return torch.as_tensor(gradients[0]) * _on_arrays(derivative, x, options)

    return lambda x: torch.as_tensor(Function.apply(x))  # type: ignore[no-untyped-call]


def _on_arrays(function: Elementwise | None, x: torch.Tensor, options: dict[str, Any]) -> torch.Tensor:
    if function is None:
        raise TypeError("no function of one number")
    return torch.from_numpy(np.asarray(function(x.detach().double().numpy(), **options))).to(x.dtype)
