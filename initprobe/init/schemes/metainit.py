"""MetaInit: tunes the norms of the weights until one gradient step changes the gradient as little as possible."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

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


@register
class MetaInit(Scheme):
    """Minimizes the gradient quotient over one number per matrix, by signSGD with momentum.

    The quotient is taken over all parameters that are trained, biases and normalizations included; the numbers that
    are tuned are the norms of those that this scheme drew and that have two axes or more, as in the authors' code.
    Frozen parameters are drawn and not tuned: no gradient step moves them.
    """

    card = SchemeCard(
        name="metainit",
        family="data",
        summary="norms of the weights tuned until a gradient step changes the gradient least",
        formula="W ~ N(0, gain² / fan_in), then min over all ‖W‖ of GQ = 1/N · ‖(g - Hg) / (g + ε sign g) - 1‖₁, "
        "g and H gradient and Hessian of the loss, by signSGD with momentum on the norms, a batch per step",
        assumes="that the loss can be differentiated three times almost everywhere; only norms are wrong, not shapes",
        when="for architectures that no formula fits, without normalization; it costs `steps` times four passes and "
        "more. A quotient near 1 may also mean that gradients vanish: look at them",
        reference="Dauphin & Schoenholz 2019, MetaInit (NeurIPS), eq. 1 and appendix (code)",
    )
    reads: ClassVar = frozenset({"loss"})
    calibrates: ClassVar[bool] = True

    gain: Gain = Field("auto", description="of the start; auto: 1 / √(E f²) of the activation before the weight")
    lr: float = Field(0.1, gt=0.0, description="step of a norm")
    momentum: float = Field(0.9, ge=0.0, lt=1.0, description="of the steps")
    steps: int = Field(500, ge=1, description="how many")
    eps: float = Field(1e-5, gt=0.0, description="what keeps the quotient's denominator from zero")

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:  # noqa: ARG002 - see base
        """The start, N(0, gain² / fan_in)."""
        std = scaled_std(weight, "fan_in", self.gain)
        return Filled(normal(variates, weight.shape, std), std)

    def calibrate(self, calibration: Calibration) -> Sequence[str]:
        """Tune the norms.

        Raises:
            UsageError: there are none, or the loss cannot be differentiated twice, or it is not finite.
        """
        tuned = [(name, parameter) for name, parameter in calibration.tunable() if parameter.dim() >= 2]
        if not tuned:
            raise UsageError("metainit tunes the norms of matrices, and it drew none", hint="lsuv, kaiming_normal ...")
        norms = Norms(self, tuned)
        with calibration.running(gradients=True, noise=False) as model:
            before = float(self.quotient(calibration, model, 0).detach())
            for step in range(self.steps):
                quotient = self.quotient(calibration, model, 1 + step, graph=True)
                norms.step(calibration.gradients(quotient, [parameter for _, parameter in tuned]))
            after = float(self.quotient(calibration, model, 0).detach())
        calibration.changed.update(name for name, _ in tuned)
        told = f"gradient quotient from {before:.4g} to {after:.4g} in {self.steps} steps"
        if after >= before:
            told += ": no better than at the start, try a smaller lr"
        return (f"{told}; {calibration.passes} passes",)

    def quotient(self, calibration: Calibration, model: nn.Module, index: int, *, graph: bool = False) -> Tensor:
        """The gradient quotient on one batch.

        Args:
            calibration: runs the network.
            model: the network, as ``calibration.running`` hands it out.
            index: of the batch.
            graph: whether it will be differentiated.

        Raises:
            UsageError: it is not finite, or cannot be computed.
        """
        parameters = [parameter for _, parameter in calibration.trained()]
        loss = calibration.loss(calibration.output(model, calibration.call(index)), index)
        first = calibration.gradients(loss, parameters, graph=True)
        energy = sum((gradient.float().square().sum() for gradient in first), start=loss.new_zeros(()))
        second = calibration.gradients(energy / 2.0, parameters, graph=graph)
        total = loss.new_zeros(())
        for gradient, product in zip(first, second, strict=True):
            sign = (gradient >= 0.0).to(gradient.dtype) * 2.0 - 1.0  # that of zero is plus
            total = total + ((gradient - product) / (gradient + self.eps * sign) - 1.0).abs().float().sum()
        value = total / sum(parameter.numel() for parameter in parameters)
        if not math.isfinite(float(value.detach())):
            raise UsageError(
                "the gradient quotient is not finite: loss or gradients overflow",
                hint="a smaller `gain` to start from, or float32",
            )
        return value


class Norms:
    """The norms and their momentum."""

    def __init__(self, scheme: MetaInit, tuned: Named) -> None:
        self.scheme = scheme
        self.tuned = tuned
        self.memory = [0.0] * len(tuned)

    def step(self, gradients: Sequence[Tensor]) -> None:
        """One step of signSGD with momentum along every norm."""
        import torch

        with torch.no_grad():
            for place, ((_, parameter), gradient) in enumerate(zip(self.tuned, gradients, strict=True)):
                norm = float(parameter.double().norm())
                slope = float((parameter.double() * gradient.double()).sum())
                if norm == 0.0 or not math.isfinite(slope):
                    continue
                sign = math.copysign(1.0, slope) if slope else 0.0
                self.memory[place] = self.scheme.momentum * self.memory[place] - self.scheme.lr * sign
                if norm + self.memory[place] <= 0.0:  # a norm below zero would turn the weight around
                    self.memory[place] = -0.9 * norm
                parameter.copy_(parameter.double() * ((norm + self.memory[place]) / norm))
