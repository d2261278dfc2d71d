"""Fans and gains: what the variance of a weight is divided by and multiplied with."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from initprobe.activations.moments import NotElementwiseError, derivative_second_moment, second_moment
from initprobe.errors import UsageError
from initprobe.records import ActivationUse, Weight

Mode = Literal["fan_in", "fan_out", "fan_avg"]
Factor = Annotated[float, Field(gt=0.0)]
Gain = Factor | Literal["auto"]


class UndrawableError(Exception):
    """A scheme can do nothing with this weight; the message says why and ends up in the Outcome."""


def fan(weight: Weight, mode: Mode) -> float:
    """How many values one output sums over, how many outputs one input feeds, or the mean of both.

    Raises:
        UndrawableError: the weight has none, or it is zero.
    """
    if mode == "fan_avg":
        return 0.5 * (fan(weight, "fan_in") + fan(weight, "fan_out"))
    value = weight.fan_in if mode == "fan_in" else weight.fan_out
    if value is None:
        raise UndrawableError(f"it has no known {mode}: nothing was seen to use it as a weight")
    if value <= 0.0:
        raise UndrawableError(f"its {mode} is {value:g}")
    return value


def scaled_std(weight: Weight, mode: Mode, gain: Gain) -> float:
    """The standard deviation gain / √fan.

    With ``auto`` the gain is 1 / √(E f²) of the activation before the weight for fan_in, 1 / √(E f'²) of the one behind
    it for fan_out, both at unit pre-activations; 1 where there is none, or none that acts on one number at a time.
    fan_avg meets both halfway, as Glorot & Bengio (2010, eq. 12) do for linear units: the variance is
    2 / (fan_in · E f² + fan_out · E f'²).

    Raises:
        UndrawableError: the weight has no such fan, or no signal passes the activation.
    """
    if gain != "auto":
        return gain / math.sqrt(fan(weight, mode))
    if mode == "fan_in":
        return 1.0 / math.sqrt(_forward_factor(weight))
    if mode == "fan_out":
        return 1.0 / math.sqrt(_backward_factor(weight))
    return math.sqrt(2.0 / (_forward_factor(weight) + _backward_factor(weight)))


def input_gain(weight: Weight) -> float:
    """1 / √(E f²) of the activation before a weight; 1 where there is none, or none of one number at a time.

    Raises:
        UndrawableError: no signal passes the activation.
    """
    return 1.0 / math.sqrt(_passed(weight.input_activation, "signal"))


def _forward_factor(weight: Weight) -> float:
    """What a weight of variance 1 multiplies the signal's second moment by: fan_in · E f²."""
    return fan(weight, "fan_in") * _passed(weight.input_activation, "signal")


def _backward_factor(weight: Weight) -> float:
    """What a weight of variance 1 multiplies the gradient's second moment by: fan_out · E f'²."""
    return fan(weight, "fan_out") * _passed(weight.output_activation, "gradient")


def _passed(use: ActivationUse | None, what: Literal["signal", "gradient"]) -> float:
    if use is None:
        return 1.0
    try:
        moment = second_moment(use) if what == "signal" else derivative_second_moment(use)
    except NotElementwiseError:
        return 1.0
    except UsageError as error:
        raise UndrawableError(str(error)) from error
    if moment <= 0.0:
        raise UndrawableError(f"{use} lets no {what} pass, and no gain makes up for that")
    return moment
