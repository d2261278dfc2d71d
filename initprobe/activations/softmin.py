"""Softmin: softmax of the negated input, so it is no function of one number."""

from __future__ import annotations

from initprobe.activations.base import Activation, activation

activation(
    Activation(
        name="softmin",
        summary="exp(-z_i) / Σ_j exp(-z_j) along dim",
        modules=("torch.nn.Softmin",),
        functions={"torch.nn.functional.softmin": ("input", "dim")},
        options={"dim": -1},
    )
)
