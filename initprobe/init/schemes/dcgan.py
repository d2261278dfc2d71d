"""What DCGAN, and many generative networks of convolutions after it, are initialized with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from initprobe.init.branches import is_scale
from initprobe.init.distributions import constant, normal
from initprobe.init.fans import Factor, UndrawableError, fan
from initprobe.init.schemes.base import EMBEDDINGS_TOO, KEPT, Filled, Scheme, SchemeCard, Treatment, register
from initprobe.records import Role, Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class Dcgan(Scheme):
    """N(0, 0.02²) for weights, N(1, 0.02²) for the scales of batch normalizations."""

    card = SchemeCard(
        name="dcgan",
        family="convolution",
        summary="normal with standard deviation 0.02 everywhere, around 1 in batch normalizations",
        formula="W ~ N(0, std²), gamma ~ N(1, std²) and beta = 0 in batch normalizations, std = 0.02; biases 0",
        assumes="a batch normalization behind every layer but the last: 0.02 keeps no variance by itself",
        when="for generators and discriminators of convolutions with batch normalization; not for networks without it, "
        "where it keeps the variance at a fan-in of 5000 alone behind rectifiers",
        reference="Radford, Metz & Chintala 2016 (arXiv 1511.06434), section 4; scales as in soumith/dcgan.torch "
        "and pytorch/examples",
    )
    treatments: ClassVar[Mapping[Role, Treatment]] = {**EMBEDDINGS_TOO, "norm": "draw"}

    std: Factor = Field(0.02, description="standard deviation of weights, and of scales around 1")

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """One matrix, or the scale or shift of a normalization.

        Raises:
            UndrawableError: nothing was seen to use it, or the normalization is not over the batch.
        """
        if weight.role != "norm":
            fan(weight, "fan_in")
            return Filled(normal(variates, weight.shape, self.std), self.std)
        if "BatchNorm" not in weight.module_type:
            raise UndrawableError(KEPT["norm"])
        if not is_scale(weight, network):
            return Filled(constant(weight.shape, 0.0), 0.0)
        return Filled(normal(variates, weight.shape, self.std).add_(1.0), self.std)
