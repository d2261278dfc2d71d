"""The identity: every layer hands on what it gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.kernels import Kernel, kernel_of
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.records import Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class Identity(Scheme):
    """Ones on the diagonal, for a convolution at the middle tap of each group."""

    card = SchemeCard(
        name="identity",
        family="classical",
        summary="every layer hands on its input: ones on the diagonal, for convolutions at the middle tap",
        formula="W[i, i] = scale, and 0 elsewhere; a convolution has it in each of its groups at the tap k // 2, a "
        "recurrent layer in each of its gates, a packed attention in query, key and value each",
        assumes="as many outputs as inputs, odd kernels with padding k // 2 and stride 1; behind a relu only a signal "
        "that is nowhere negative comes through unchanged. Of fewer outputs the first inputs are kept, further outputs "
        "are zero. An even kernel shifts the image, a strided one drops pixels, a transposed one of stride s puts the "
        "pixels s apart with zeros between",
        when="for layers that are inserted into a trained network, and for plain linear or relu networks whose depth "
        "is to be invisible at first; all units of surplus width stay zero until their incoming weights learn",
        reference="torch.nn.init.eye_ and dirac_; Bartlett, Helmbold & Long 2018 (arXiv 1802.06093) analyse training "
        "from it",
        aliases=("eye", "dirac"),
    )

    scale: float = Field(1.0, description="what stands on the diagonal")

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:  # noqa: ARG002 - no draw
        """The scaled identity of each group; nothing is random.

        Raises:
            UndrawableError: the weight is no matrix and no convolution.
        """
        import torch

        kernel = kernel_of(weight, network)
        eye = torch.eye(kernel.outputs, kernel.inputs).mul_(self.scale)
        values = kernel.at_middle(eye.expand(kernel.groups, -1, -1))
        return Filled(values, None, note=_left_out(kernel))


def _left_out(kernel: Kernel) -> str | None:
    """What keeps the layer from handing on its input unchanged, as far as its weight tells."""
    told = []
    if kernel.outputs > kernel.inputs:
        told.append(f"{kernel.groups * (kernel.outputs - kernel.inputs)} outputs are zero: there are too few inputs")
    if kernel.outputs < kernel.inputs:
        told.append(f"{kernel.groups * (kernel.inputs - kernel.outputs)} inputs are not handed on: too few outputs")
    if kernel.even:
        told.append("an even kernel has no middle tap: the output is shifted")
    return "; ".join(told) or None
