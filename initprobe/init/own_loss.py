"""The loss that the user brought."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn

from initprobe.errors import TargetError, first_line, raised_here, user_trace
from initprobe.subject import Loss


def own_loss(loss: Loss, output: Any) -> torch.Tensor:
    """What it makes of the model's output, a number.

    Raises:
        TargetError: it failed, takes something else than an output, or answers with something else than a number.
    """
    try:
        value = loss(output)
    except (Exception, SystemExit) as error:
        if isinstance(error, TypeError) and "argument" in str(error) and not _takes(loss, output):
            raise TargetError(
                f"the loss function cannot be called with the model's output alone: {first_line(error)}",
                hint="loss=lambda output: torch.nn.functional.cross_entropy(output, labels)",
            ) from error
        if raised_here(error):
            raise
        raise TargetError(f"the loss function failed: {first_line(error)}", trace=user_trace(error)) from error
    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        raise TargetError("the loss function must return one number, as a tensor")
    return value.reshape(())


def _takes(function: Loss, output: Any) -> bool:
    """Whether a function can be called with one argument, as far as its signature says."""
    try:
        inspect.signature(function.forward if isinstance(function, nn.Module) else function).bind(output)
    except TypeError:
        return False
    except ValueError:  # a built-in without a signature
        return True
    return True
