"""Weight normalization: the length of every filter is a parameter of its own."""

from __future__ import annotations

from torch import nn
from torch.nn.utils import parametrizations

from initprobe.parametrizations.base import Layout, Parametrization, ParametrizationCard, register


@register
class WeightNorm(Parametrization):
    """W = g · v / |v| per filter, as torch computes it."""

    card = ParametrizationCard(
        name="weight_norm",
        summary="a length and a direction per filter",
        formula="W = g · v / |v| per output, with g = |v| where it is put on: the function does not change",
        when="instead of batch normalization where batches are small; it normalizes no signal by itself, so that it "
        "wants a scheme that looks at data, or one that fits the network",
        reference="Salimans & Kingma 2016 (arXiv 1602.07868), eq. 2",
        keeps=True,
    )

    def attach(self, module: nn.Module, tensor: str, layout: Layout) -> None:
        """Torch's own, which reads checkpoints of its older form too."""
        parametrizations.weight_norm(module, tensor, dim=layout.filters.unit_axis)
