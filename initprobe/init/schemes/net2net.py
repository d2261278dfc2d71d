"""Net2Net: a wider or deeper network that computes what a trained one computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from initprobe.activations.behaviour import is_idempotent
from initprobe.errors import UsageError
from initprobe.init.branches import record
from initprobe.init.distributions import constant, normal
from initprobe.init.fans import UndrawableError, scaled_std
from initprobe.init.schemes.base import KEPT, Filled, Scheme, SchemeCard, register
from initprobe.init.widening import VECTORS, Widening
from initprobe.records import Branch, Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class Net2Net(Scheme):
    """Units are copied and share what comes out of them; new layers are the identity."""

    card = SchemeCard(
        name="net2net",
        family="growing",
        summary="takes a trained network over into a wider or deeper one that computes the same",
        formula="wider: W[i, j] ← W[g(i), g(j)] / #{k : g(k) = g(j)}, g(j) = j for the old units, a random one for the "
        "new; deeper: W = 1 (the middle tap of a convolution), b = 0; a new residual branch ends in zeros; "
        "biases and normalizations go with their units",
        assumes="the layers that are the same in both have the same names (`source` may be a mapping with other keys); "
        "new layers stand behind a relu and before one",
        when="to go on training in a larger network; copies part only through noise or dropout; normalization over "
        "units needs replicate_evenly and a multiple of the width; running statistics are no parameters, and stay",
        reference="Chen et al. 2016, Net2Net: Accelerating Learning via Knowledge Transfer (arXiv 1511.05641), "
        "sections 2.2 and 2.3, algorithm 1",
    )
    reads: ClassVar = frozenset({"source"})

    replicate_evenly: bool = Field(
        default=False,
        description="copy all units equally often, up to a random rest; else each copy is of a random unit",
    )
    noise: float = Field(
        0.0, ge=0.0, description="added to the incoming weights of copies, in standard deviations of the weight"
    )

    def check_network(self, network: Network) -> None:
        """There has to be a source, and it has to be of this network's kind.

        Raises:
            UsageError: there is none, or no name of it is one of the network's.
        """
        if not network.source:
            raise UsageError(
                "net2net grows a network out of another one, and there is none",
                hint="initprobe.initialize(wide, 'net2net', source=narrow)",
            )
        if all(network.in_source(weight) is None for weight in network.anatomy.weights):
            raise UsageError(
                "no parameter of the source has the name of one of this network: names tell what grew out of what",
                hint="give source as a mapping from this network's names to tensors",
            )

    def remarks(self, network: Network) -> Sequence[str]:
        """What of the source has no place here, so that the network computes something else."""
        places = {name for weight in network.anatomy.weights for name in (weight.name, *weight.aliases)}
        places |= {name for name, _ in network.model.named_buffers()}
        lost = [name for name in network.source if name not in places]
        if not lost:
            return ()
        told = f"{len(lost)} parameters of the source have no place in this network (first: {lost[0]})"
        return (f"{told}: what they did is lost",)

    def fill(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """What the source has under that name, widened; the identity where it has nothing."""
        old = network.in_source(weight)
        if old is None:
            return self._new(weight, network, variates)
        values = Widening(network, self.replicate_evenly, self.noise).taken_over(weight, old, variates)
        return Filled(values, None, note="; ".join(self._notes(weight, old, network)) or None)

    def fill_chosen(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """The same: what is in the source has a place, whatever its role."""
        return self.fill(weight, network, variates)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """The same."""
        return self.fill(weight, network, variates)

    def _notes(self, weight: Weight, old: Tensor, network: Network) -> list[str]:
        """What copying does not keep."""
        told = []
        kinds = {kind.__name__ for kind in type(network.module(weight)).__mro__}
        grown = tuple(old.shape) != weight.shape
        if weight.role == "norm" and weight.name.endswith("bias"):
            return []  # its scale says it
        if weight.role == "norm" and "_NormBase" in kinds:
            if getattr(network.module(weight), "running_mean", None) is not None:
                told.append("its running statistics are no parameters: they stay as they are")
        elif weight.role == "norm" and grown:
            even = self.replicate_evenly and weight.shape[-1] % old.shape[-1] == 0
            if "GroupNorm" in kinds or not even:
                told.append("it takes its statistics over units, and not all of them are copied equally often")
        elif grown and weight.role not in VECTORS and not self.noise and _unit_extents(weight, old):
            told.append("copies of a unit get the same gradient for ever, unless noise or dropout parts them")
        return told

    def _new(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """A parameter that the source does not have."""
        if network.slots and network.slots[weight.name].parametrized:
            raise UndrawableError("a parametrization computes it: give the source as a mapping with its computed value")
        if weight.role == "bias" and len(weight.shape) == 1:
            return Filled(constant(weight.shape, 0.0), 0.0)
        if weight.role in VECTORS or weight.role == "embedding":
            raise UndrawableError(f"it is not in the source; {KEPT.get(weight.role, 'a new table stays as it is')}")
        branch = network.branch(weight)
        if branch is not None and network.once(_is_new, branch):
            if weight.tail:
                return Filled(constant(weight.shape, 0.0), 0.0, note="new branch: it ends in zeros")
            std = scaled_std(weight, "fan_in", "auto")
            return Filled(normal(variates, weight.shape, std), std, note="new branch: drawn as it would be elsewhere")
        return Filled(_identity(weight, network), None, note=_kept_by(weight))


def _is_new(network: Network, branch: Branch) -> bool:
    """Whether the source has none of a branch's weights."""
    found = (record(network, name) for name in branch.weights)
    return all(one is None or network.in_source(one) is None for one in found)


def _unit_extents(weight: Weight, old: Tensor) -> bool:
    """Whether its units outnumber those of the source."""
    axis = 0 if weight.unit_axis is None else weight.unit_axis
    return bool(weight.shape[axis] > old.shape[axis])


def _kept_by(weight: Weight) -> str | None:
    """What a new layer changes in spite of being the identity."""
    behind = weight.output_activation
    if behind is None or (behind == weight.input_activation and is_idempotent(behind)):
        return None
    return f"new layer: the identity, but {behind} behind it changes what it is given"


def _identity(weight: Weight, network: Network) -> Tensor:
    """A square matrix, or a convolution that gives every image back.

    Raises:
        UndrawableError: there is none of that shape.
    """
    import torch

    module = network.module(weight)
    units = weight.shape[weight.unit_axis or 0] if weight.shape else 0
    if weight.role == "linear" and weight.shape == (units, units):
        return torch.eye(units, dtype=torch.float64)
    kernel = weight.shape[2:]
    groups = units // weight.shape[1] if weight.role in {"conv", "depthwise"} and weight.shape[1] else 0
    square = groups * weight.shape[1] == units == getattr(module, "in_channels", units) if groups else False
    strided = any(step != 1 for step in getattr(module, "stride", ()))
    if not square or strided or any(extent % 2 == 0 for extent in kernel) or not _same_size(module, kernel):
        raise UndrawableError(
            "it is not in the source, and no identity has its shape, stride and padding: it cannot keep the function"
        )
    values = torch.zeros(weight.shape, dtype=torch.float64)
    middle = tuple(extent // 2 for extent in kernel)
    for unit in range(units):
        values[(unit, unit % weight.shape[1], *middle)] = 1.0
    return values


def _same_size(module: object, kernel: tuple[int, ...]) -> bool:
    """Whether a convolution answers with as many places as it is given."""
    padding = getattr(module, "padding", None)
    dilation = getattr(module, "dilation", (1,) * len(kernel))
    if padding is None or isinstance(padding, str):
        return padding != "valid" or all(extent == 1 for extent in kernel)
    pairs = zip(padding, dilation, kernel, strict=True)
    return all(2 * width == spread * (extent - 1) for width, spread, extent in pairs)
