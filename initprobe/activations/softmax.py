"""Softmax: normalizes along one axis, so it is no function of one number."""

from __future__ import annotations

from initprobe.activations.base import Activation, activation

activation(
    Activation(
        name="softmax",
        summary="exp(z_i) / Σ_j exp(z_j) along dim",
        modules=("torch.nn.Softmax", "torch.nn.Softmax2d"),
        functions={
            "torch.nn.functional.softmax": ("input", "dim"),
            "torch.softmax": ("input", "dim"),
            "torch.special.softmax": ("input", "dim"),
            "torch.Tensor.softmax": ("input", "dim"),
        },
        options={"dim": -1},
    )
)
