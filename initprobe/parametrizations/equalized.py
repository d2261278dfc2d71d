"""Equalized learning rate: weights are stored at one scale, and the layer divides them by the root of its fan-in."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils import parametrize

from initprobe.parametrizations.base import Layout, Parametrization, ParametrizationCard, register

Factor = Annotated[float, Field(gt=0.0)]


class Scaled(nn.Module):
    """A stored weight times a constant."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, stored: Tensor) -> Tensor:
        """What the layer sees."""
        return stored * self.scale

    def right_inverse(self, weight: Tensor) -> Tensor:
        """What is stored for it."""
        return weight / self.scale

    def extra_repr(self) -> str:
        """The constant, for ``print(model)``."""
        return f"scale={self.scale:.6g}"


@register
class Equalized(Parametrization):
    """W = stored · gain · lr_mul / √fan_in."""

    card = ParametrizationCard(
        name="equalized",
        summary="stored at unit variance, divided by the root of the fan-in in every pass",
        formula="W = w · lr_mul · gain / √fan_in, with w ~ N(0, 1 / lr_mul²) under the scheme equalized_lr",
        when="with Adam and its kin, whose steps have the same size for every weight: all weights then move at the "
        "same relative speed, lr_mul times the learning rate (0.01 in StyleGAN's mapping network); under plain SGD it "
        "changes the learning rate of every layer by gain² · lr_mul² / fan_in",
        reference="Karras et al. 2018, Progressive Growing of GANs (arXiv 1710.10196), section 4.1; lr_mul as in "
        "StyleGAN2 (arXiv 1912.04958)",
        keeps=True,
    )

    gain: Factor = Field(
        math.sqrt(2.0), description="He's √2 as in the paper; 1 in StyleGAN2, whose activation multiplies by √2 itself"
    )
    lr_mul: Factor = Field(1.0, description="what the learning rate is multiplied by in effect")

    def attach(self, module: nn.Module, tensor: str, layout: Layout) -> None:
        """A product with one constant; the layer sees what it saw before."""
        scale = self.gain * self.lr_mul / math.sqrt(layout.fan_in)
        parametrize.register_parametrization(module, tensor, Scaled(scale))
