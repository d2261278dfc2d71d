"""The gated linear unit: one half of an axis gates the other, so it is no function of one number."""

from __future__ import annotations

from initprobe.activations.base import Activation, activation

activation(
    Activation(
        name="glu",
        summary="a · σ(b), a and b the two halves of the input along dim",
        reference="Dauphin et al. 2017, Language Modeling with Gated Convolutional Networks",
        modules=("torch.nn.GLU",),
        functions={"torch.nn.functional.glu": ("input", "dim")},
        options={"dim": -1},
    )
)
