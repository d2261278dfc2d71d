"""What the backward pass starts from: a loss, or a random cotangent on every output."""

from __future__ import annotations

from typing import Any

import torch

from initprobe.errors import TargetError, first_line, raised_here, user_trace
from initprobe.hooks import tensors_in
from initprobe.records import ProbeRequest
from initprobe.subject import Subject
from initprobe.variates import Variates


def objective_of(
    subject: Subject, output: Any, probe: ProbeRequest, seed: int
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """What is differentiated, and the cotangent that comes with it.

    Raises:
        TargetError: the loss that was asked for is not there, failed, or is no number that depends on the output.
    """
    if probe.loss not in ("auto", "gaussian") or (probe.loss == "auto" and subject.loss is not None):
        loss = _own_loss(subject, output)
        return [loss], [torch.ones_like(loss)]
    outputs = [tensor for _, tensor in tensors_in(output) if tensor.requires_grad and tensor.numel()]
    return outputs, [
        Variates(seed, f"@cotangent.{place}").normal(tuple(tensor.shape)).to(tensor)
        for place, tensor in enumerate(outputs)
    ]


def _own_loss(subject: Subject, output: Any) -> torch.Tensor:
    if subject.loss is None:
        raise TargetError("the target has no loss function of its own", hint="--loss gaussian")
    try:
        loss = subject.loss(output)
    except (Exception, SystemExit) as error:
        if raised_here(error):
            raise
        raise TargetError(f"the loss function failed: {first_line(error)}", trace=user_trace(error)) from error
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1 or not loss.requires_grad:
        raise TargetError("the loss function must return one number that depends on the model's output")
    return loss
