"""The logarithm of softmax: normalizes along one axis, so it is no function of one number."""

from __future__ import annotations

from initprobe.activations.base import Activation, activation

activation(
    Activation(
        name="log_softmax",
        summary="z_i - ln Σ_j exp(z_j) along dim",
        modules=("torch.nn.LogSoftmax",),
        functions={
            "torch.nn.functional.log_softmax": ("input", "dim"),
            "torch.log_softmax": ("input", "dim"),
            "torch.special.log_softmax": ("input", "dim"),
            "torch.Tensor.log_softmax": ("input", "dim"),
        },
        options={"dim": -1},
    )
)
