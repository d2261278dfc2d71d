"""Normalizations over the batch, over features, and over groups of channels."""

from __future__ import annotations

from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import Branch, Count, Flag, Incoming, Layer, Misfit, Positive, Probability, block


@block("batch_norm")
class BatchNorm(Layer):
    """Normalizes every channel over the batch; takes (features,), sequences, images and volumes, channels first."""

    eps: Positive = Field(default=1e-5, description="Added to the variance")
    momentum: Probability = Field(default=0.1, description="Weight of a batch in the running statistics")
    affine: Flag = Field(default=True, description="Whether it scales and shifts by learned numbers")

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.BatchNorm1d``, ``BatchNorm2d`` or ``BatchNorm3d``, by the shape."""
        axes = len(incoming.shape)
        if axes not in (1, 2, 3, 4):
            raise Misfit(f"needs an input of one to four axes, here it is {incoming.shape}")
        norm = {3: nn.BatchNorm2d, 4: nn.BatchNorm3d}.get(axes, nn.BatchNorm1d)
        return Branch(norm(incoming.shape[0], self.eps, self.momentum, self.affine), incoming.signal)


class OverFeatures(Layer):
    """What normalizations over the last axes have in common."""

    axes: Count = Field(default=1, description="How many of the last axes are normalized together")


@block("layer_norm")
class LayerNorm(OverFeatures):
    """Normalizes every sample over its last axis (or axes)."""

    eps: Positive = Field(default=1e-5, description="Added to the variance")
    affine: Flag = Field(default=True, description="Whether it scales and shifts by learned numbers")
    bias: Flag = Field(default=True, description="Whether it also shifts")

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.LayerNorm``."""
        norm = nn.LayerNorm(incoming.last(self.axes), self.eps, self.affine, self.bias)
        return Branch(norm, incoming.signal)


@block("rms_norm")
class RMSNorm(OverFeatures):
    """Divides every sample by its root mean square over its last axis (or axes)."""

    eps: Positive | None = Field(
        default=None, description="Added to the mean square; the dtype's own epsilon when not given"
    )
    affine: Flag = Field(default=True, description="Whether it scales by learned numbers")

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.RMSNorm``."""
        return Branch(nn.RMSNorm(list(incoming.last(self.axes)), self.eps, self.affine), incoming.signal)


@block("group_norm")
class GroupNorm(Layer):
    """Normalizes groups of channels of every sample; takes (channels, ...)."""

    groups: Count = Field(description="Number of groups")
    eps: Positive = Field(default=1e-5, description="Added to the variance")
    affine: Flag = Field(default=True, description="Whether it scales and shifts by learned numbers")

    def build(self, incoming: Incoming) -> Branch:
        """``torch.nn.GroupNorm``."""
        incoming.last()
        channels = incoming.shape[0]
        if channels % self.groups:
            raise Misfit(f"needs channels ({channels}) that {self.groups} groups divide", key="groups")
        return Branch(nn.GroupNorm(self.groups, channels, self.eps, self.affine), incoming.signal)
