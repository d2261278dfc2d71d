"""GradInit: one number per parameter tensor, such that the first step of the optimizer lowers the loss most."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from initprobe.errors import UsageError
from initprobe.init.distributions import normal
from initprobe.init.fans import Gain, scaled_std
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor, nn

    from initprobe.init.calibration import Calibration, Named
    from initprobe.init.network import Network
    from initprobe.variates import Variates

Kind = Literal["objective", "constraint"]
BETAS = (0.9, 0.999)
FLOOR = 1e-8


@register
class GradInit(Scheme):
    """Learns a scale per tensor so that the loss after one step is small, while the gradient's norm stays below γ.

    The loss is taken behind the step on a batch that shares half of its samples with the one the step was made on; the
    step itself counts as a constant, as in the authors' code. Theirs ends wherever the last step has led; here steps
    for the bound alone follow until it holds. Normalizations keep their values as a start and are scaled like
    everything else. Frozen parameters are drawn and not scaled: the optimizer takes no step along them.
    """

    card = SchemeCard(
        name="gradinit",
        family="data",
        summary="one learned factor per tensor, normalizations too, for the best first step of the optimizer",
        formula="W ~ N(0, gain² / fan_in), θ = (α_i W_i); if ‖g‖ > γ: lower ‖g‖, else lower "
        "L(θ - η A[g]; half-overlapping batch) / η, by Adam on α; sgd: A[g] = g / ‖g‖₂ and ‖g‖₂, "
        "adam: A[g] = sign g and ‖g‖₁",
        assumes="the training loss and data; with random labels it can only keep gradients in bounds",
        when="for architectures that no formula fits, with the `loss` that will be trained; it costs `steps` times "
        "three to four passes",
        reference="Zhu et al. 2021, GradInit (arXiv 2102.08098), eq. 1 and algorithm 1; learning rates, clipping and "
        "least scales as in the authors' code",
    )
    reads: ClassVar = frozenset({"loss"})
    treatments: ClassVar = {"norm": "draw"}
    calibrates: ClassVar[bool] = True

    gain: Gain = Field("auto", description="of the start; auto: 1 / √(E f²) of the activation before the weight")
    optimizer: Literal["sgd", "adam"] = Field("sgd", description="whose first step counts")
    eta: float = Field(0.1, gt=0.0, description="length of that step (adam: of every coordinate's)")
    gamma: float | None = Field(1.0, gt=0.0, description="bound of the gradient's norm; None: no bound")
    lr: float = Field(0.01, gt=0.0, description="learning rate of the scales")
    steps: int = Field(390, ge=1, description="steps of the scales")
    clip: float = Field(1.0, gt=0.0, description="bound of a scale's gradient")
    min_scale: float = Field(0.01, gt=0.0, description="the least scale of a weight; a bias may go to 0")

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """The start, N(0, gain² / fan_in); a normalization starts with what it has."""
        if weight.role == "norm":
            return Filled(network.values(weight), None)
        std = scaled_std(weight, "fan_in", self.gain)
        return Filled(normal(variates, weight.shape, std), std)

    def calibrate(self, calibration: Calibration) -> Sequence[str]:
        """Learn the scales.

        Raises:
            UsageError: every parameter is frozen, the loss cannot be differentiated twice, or it is not finite.
        """
        tuned = calibration.tunable()
        scales = Scales(self, tuned)
        with calibration.running(gradients=True, noise=False) as model:
            look = Look(self, calibration, model)
            before = look.measure()
            bounded = sum(self._step(look, scales, 3 * step) for step in range(1, 1 + self.steps))
            # The steps swing around the bound: some more on one batch, until it holds there.
            closing = sum(takewhile(bool, (self._step(look, scales, 0, closing=True) for _ in range(self.steps))))
            after = look.measure()
        calibration.changed.update(name for name, _ in tuned)
        steps = f"{self.steps} steps" + f", {bounded} of them for the bound" * bool(bounded)
        steps += f", and {closing} more to end within it" * bool(closing)
        told = (
            f"loss behind the first {self.optimizer} step from {before[0]:.4g} to {after[0]:.4g}, gradient norm from "
            f"{before[1]:.4g} to {after[1]:.4g}; {steps}; {calibration.passes} passes"
        )
        return (told, *self._caveats(calibration, after[1]))

    @staticmethod
    def _step(look: Look, scales: Scales, index: int, *, closing: bool = False) -> bool:
        """One step along every scale, for the bound alone when ``closing``; whether it was one for the bound."""
        kind, gradients = look.slopes(index, [parameter for _, parameter in scales.tuned])
        if kind == "constraint" or not closing:
            scales.step(kind, gradients)
        return kind == "constraint"

    def _caveats(self, calibration: Calibration, norm: float) -> Iterator[str]:
        if self.gamma is not None and norm > self.gamma:
            yield f"the gradient norm is still above gamma = {self.gamma:g}: more steps, or a larger lr"
        if calibration.fixed:
            yield "the step and the loss behind it are taken on the same samples: the batch that was given is the only"
        if calibration.data.subject.loss is None:
            yield "no loss was given: random labels were to be learned"


@dataclass(slots=True)
class Look:
    """What is differentiated.

    Attributes:
        scheme: its options.
        calibration: runs the network.
        model: the network, as ``calibration.running`` hands it out.
    """

    scheme: GradInit
    calibration: Calibration
    model: nn.Module

    def measure(self) -> tuple[float, float]:
        """The loss behind a step and the norm of the gradient, on batches that are kept for this."""
        gradients, norm = self._gradients(0, graph=False)
        with self._stepped(gradients, norm):
            return float(self._loss(0, 2).detach()), float(norm)

    def slopes(self, index: int, parameters: Sequence[Tensor]) -> tuple[Kind, list[Tensor]]:
        """What is to be lowered on these batches, and its gradients."""
        gamma = self.scheme.gamma
        gradients, norm = self._gradients(index, graph=gamma is not None)
        if gamma is not None and float(norm.detach()) > gamma:
            return "constraint", self.calibration.gradients(norm, parameters)
        with self._stepped(gradients, norm):
            return "objective", self.calibration.gradients(self._loss(index, index + 2) / self.scheme.eta, parameters)

    def _loss(self, index: int, beside: int) -> Tensor:
        output = self.calibration.output(self.model, self.calibration.call(index, beside))
        value = self.calibration.loss(output, index, beside)
        if not math.isfinite(float(value.detach())):
            raise UsageError("the loss is not finite", hint="a smaller `gain` to start from, or a smaller `eta`")
        return value

    def _gradients(self, index: int, *, graph: bool) -> tuple[list[Tensor], Tensor]:
        """The gradient of the loss, and the norm of it that belongs to the optimizer."""
        parameters = [parameter for _, parameter in self.calibration.trained()]
        loss = self._loss(index, index + 1)
        found = self.calibration.gradients(loss, parameters, graph=graph)
        if self.scheme.optimizer == "adam":
            norm = sum((one.abs().float().sum() for one in found), start=loss.new_zeros(()))
        else:
            norm = sum((one.float().square().sum() for one in found), start=loss.new_zeros(())).sqrt()
        if not math.isfinite(float(norm.detach())):
            raise UsageError("the gradient is not finite", hint="a smaller `gain` to start from, or float32")
        return found, norm

    @contextmanager
    def _stepped(self, gradients: Sequence[Tensor], norm: Tensor) -> Iterator[None]:
        """The parameters behind one step of the optimizer; afterwards they are what they were."""
        import torch

        parameters = [parameter for _, parameter in self.calibration.trained()]
        kept = [parameter.detach().clone() for parameter in parameters]
        length = float(norm.detach())
        try:
            with torch.no_grad():
                for parameter, gradient in zip(parameters, gradients, strict=True):
                    if self.scheme.optimizer == "adam":
                        parameter.sub_(self.scheme.eta * gradient.sign())
                    elif length > 0.0:
                        parameter.sub_(self.scheme.eta / length * gradient)
            yield
        finally:
            with torch.no_grad():
                for parameter, values in zip(parameters, kept, strict=True):
                    parameter.copy_(values)


@dataclass(slots=True)
class Scale:
    """The factor of one tensor, with Adam's memory for each of the two things that are lowered."""

    alpha: float = 1.0
    steps: dict[Kind, int] = field(default_factory=lambda: {"objective": 0, "constraint": 0})
    mean: dict[Kind, float] = field(default_factory=lambda: {"objective": 0.0, "constraint": 0.0})
    square: dict[Kind, float] = field(default_factory=lambda: {"objective": 0.0, "constraint": 0.0})

    def step(self, kind: Kind, slope: float, lr: float, least: float) -> float:
        """One step of Adam; the factor that the tensor is multiplied by."""
        self.steps[kind] += 1
        self.mean[kind] += (1.0 - BETAS[0]) * (slope - self.mean[kind])
        self.square[kind] += (1.0 - BETAS[1]) * (slope * slope - self.square[kind])
        mean = self.mean[kind] / (1.0 - BETAS[0] ** self.steps[kind])
        square = self.square[kind] / (1.0 - BETAS[1] ** self.steps[kind])
        before = self.alpha
        self.alpha = max(before - lr * mean / (math.sqrt(square) + FLOOR), least)
        return self.alpha / before


class Scales:
    """The factors of all tensors; one that is zero throughout, as biases are, has nothing to scale."""

    def __init__(self, scheme: GradInit, tuned: Named) -> None:
        self.scheme = scheme
        self.tuned = tuned
        self.scales = [Scale() for _ in tuned]

    def step(self, kind: Kind, gradients: Sequence[Tensor]) -> None:
        """One step along every factor."""
        import torch

        with torch.no_grad():
            for scale, (name, parameter), gradient in zip(self.scales, self.tuned, gradients, strict=True):
                slope = float((parameter.double() * gradient.double()).sum())
                if not bool(parameter.any()) or not math.isfinite(slope):
                    continue
                slope = max(min(slope / scale.alpha, self.scheme.clip), -self.scheme.clip)
                least = 0.0 if name.rpartition(".")[2].startswith("bias") else self.scheme.min_scale
                parameter.copy_(parameter.double() * scale.step(kind, slope, self.scheme.lr, least))
