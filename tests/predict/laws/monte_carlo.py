"""A law against the operation that it is the law of: moments of random tensors, followed and measured.

Every value is a sum of normal parts: what all samples and positions have in common, what one sample has, what one
position has, and what is each number's own. So the four second moments that a law follows are known, and differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean, stdev

import torch
from torch import nn

from initprobe.dissect.anatomy import trace_anatomy
from initprobe.predict.moments import Gradient, Moments, ParameterMoments
from initprobe.predict.propagate import Network, Way
from initprobe.subject import Subject
from tests.zoo.odd_models import Drawn

NAMES = ("second", "position", "pair", "both", "mean")


@dataclass(frozen=True)
class Parts:
    """Variances of the parts of a value, and its mean."""

    common: float = 0.1
    sample: float = 0.3
    place: float = 0.2
    own: float = 0.4
    mean: float = 0.0

    @property
    def moments(self) -> Moments:
        """What a law is told."""
        square, common = self.mean**2, self.common
        return Moments(
            second=common + self.sample + self.place + self.own + square,
            position=common + self.sample + square,
            pair=common + self.place + square,
            both=common + square,
            mean=self.mean,
        )

    def draw(self, batch: int, shape: tuple[int, ...], axis: int) -> torch.Tensor:
        """A value of that shape behind the batch; units lie on ``axis`` of it."""
        units = tuple(extent if place == axis else 1 for place, extent in enumerate(shape))
        parts = [(self.common, (1, *units)), (self.sample, (batch, *units)), (self.place, (1, *shape)),
                 (self.own, (batch, *shape))]  # fmt: skip
        return self.mean + sum(variance**0.5 * torch.randn(size, dtype=torch.float64) for variance, size in parts)


GRADIENT = Parts(common=0.0, sample=0.4, place=0.0, own=0.6)
APART = Parts(common=0.0, sample=0.0, place=0.0, own=1.0)


@dataclass(frozen=True)
class Case:
    """An operation on random tensors.

    Attributes:
        build: a module that computes it from its inputs.
        shapes: of the inputs, without the batch.
        parts: of each input.
        axis: where units lie in them and in the output, behind the batch.
        batch, draws: samples in a pass, and passes.
        tolerance: of second moments, relative to the largest of them.
        backward: whether gradients are compared.
        out_axis: where units lie in the output, if not on ``axis``.
        mode: of the model, "train" or "eval".
        gradient: parts of the gradient that comes in.
    """

    build: Callable[[], nn.Module]
    shapes: tuple[tuple[int, ...], ...]
    parts: tuple[Parts, ...] = (Parts(),)
    axis: int = -1
    batch: int = 8
    draws: int = 40
    tolerance: float = 0.03
    backward: bool = True
    out_axis: int | None = None
    mode: str = "train"
    gradient: Parts = GRADIENT


@dataclass
class Compared:
    """Numbers by draw beside what the law says."""

    expected: dict[str, float] = field(default_factory=dict)
    measured: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        """One draw more."""
        self.measured.setdefault(name, []).append(value)

    def wrong(self, tolerance: float) -> list[str]:
        """What is off by more than the tolerance and three standard errors."""
        found = []
        for name, expected in self.expected.items():
            values = self.measured.get(name)
            if values is None:
                continue
            size = max(abs(expected), self.expected[name.split()[0] + " second"])
            off, error = fmean(values) - expected, 3.0 * stdev(values) / len(values) ** 0.5
            if abs(off) > max(tolerance * size, error):
                found.append(f"{name}: {fmean(values):.4f} ± {error / 3.0:.4f}, the law says {expected:.4f}")
        return found


class Whole(nn.Module):
    """A module around the operation, whose output is a site."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *values):
        """What the operation makes of them."""
        return self.inner(*values)


def network_of(case: Case, model: nn.Module) -> Network:
    """The flow of one operation, with the moments of inputs and parameters that are drawn here."""
    anatomy = trace_anatomy(Subject(model, Drawn(case.shapes)), mode=case.mode).anatomy
    network = Network(anatomy, [], case.batch)
    places = [step for step in network.flow.steps if step.name == "input"]
    network.inputs = {str(step.args[0]): case.parts[int(str(step.args[0]))].moments for step in places}
    for name, parameter in model.named_parameters():
        mean, variance = law_of(name, parameter)
        network.facts.parameters[name] = ParameterMoments(variance + mean**2, mean)
    (out,) = network.flow.outputs
    network.gradients = {
        key: Gradient(case.gradient.moments.second, case.gradient.moments.position)
        for key in network.flow.steps[out].sites
    }
    return network


def law_of(name: str, parameter: torch.Tensor) -> tuple[float, float]:
    """Mean and variance of a parameter: matrices and kernels keep a signal, scales are about 1, one number stays."""
    if parameter.numel() == 1:
        return parameter.item(), 0.0
    if parameter.dim() > 1:
        return 0.0, 1.0 / parameter[0].numel()
    return (1.0 if name.endswith("weight") else 0.0), 0.25


def compare(case: Case, seed: int = 0) -> Compared:
    """Followed and measured."""
    torch.manual_seed(seed)
    model = Whole(case.build()).double().train(case.mode == "train")
    network = network_of(case, model)
    there = network.forward(reset=False)
    back = network.backward(there, reset=False)
    found = Compared(_expected(network, there, back, case))
    for _ in range(case.draws):
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                mean, variance = law_of(name, parameter)
                parameter.normal_(mean, math.sqrt(variance))
        pairs = zip(case.parts, case.shapes, strict=True)
        inputs = [parts.draw(case.batch, shape, case.axis % len(shape)) for parts, shape in pairs]
        for value in inputs:
            value.requires_grad_()
        out = model(*inputs)
        axis = case.axis if case.out_axis is None else case.out_axis
        measure(found, "out", out, axis)
        if case.backward:
            cotangent = case.gradient.draw(case.batch, tuple(out.shape[1:]), axis % (out.dim() - 1))
            grads = torch.autograd.grad(out, inputs, cotangent)
            for place, grad in enumerate(grads):
                measure(found, f"grad{place}", grad, case.axis)
    return found


def _expected(network: Network, there: Way[Moments], back: Way[Gradient], case: Case) -> dict[str, float]:
    (out,) = network.flow.outputs
    assert out in there.expected, there.why
    found = {f"out {name}": getattr(there.expected[out], name) for name in NAMES}
    if not case.backward:
        return found
    for step in network.flow.steps:
        if step.name == "input":
            assert step.index in back.expected, back.why
            found |= {f"grad{step.args[0]} {name}": getattr(back.expected[step.index], name) for name in NAMES[:2]}
    return found


def measure(found: Compared, what: str, value: torch.Tensor, axis: int) -> None:
    """The moments of one tensor, with its units on ``axis`` behind the batch."""
    rows = (
        value.detach().movedim(axis % (value.dim() - 1) + 1, -1).flatten(1, -2) if value.dim() > 2 else value[:, None]
    )
    rows = rows.detach()
    batch, places, _ = rows.shape
    total = rows.square().mean()
    over_places, over_samples = rows.sum(1).square().mean(), rows.sum(0).square().mean()
    everything = rows.sum((0, 1)).square().mean()
    found.add(f"{what} second", total.item())
    found.add(f"{what} mean", rows.mean().item())
    found.add(f"{what} pair", ((over_samples / batch - total) / (batch - 1)).item())
    if places > 1:
        found.add(f"{what} position", ((over_places / places - total) / (places - 1)).item())
        both = everything - over_places * batch - over_samples * places + total * batch * places
        found.add(f"{what} both", (both / (batch * (batch - 1) * places * (places - 1))).item())
