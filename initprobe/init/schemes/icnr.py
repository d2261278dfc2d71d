"""ICNR: sub-pixel layers that start as nearest-neighbour upsampling, without a checkerboard."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.errors import UsageError
from initprobe.init.distributions import constant, normal
from initprobe.init.fans import scaled_std
from initprobe.init.kernels import CONVOLUTIONS, Kernel, kernel_of
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.records import Anatomy, Site, Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates

SHUFFLE = "pixel_shuffle"
CELLWISE = frozenset(["activation", "norm"])
"""Kinds of sites that make equal channels of equal ones, and may stand between a layer and the shuffle."""


@register
class Icnr(Scheme):
    """He's numbers, repeated for all pixels of a cell in a layer that a pixel shuffle follows."""

    card = SchemeCard(
        name="icnr",
        family="convolution",
        summary="sub-pixel layers start as nearest-neighbour upsampling: equal kernels for all pixels of a cell",
        formula="a convolution before PixelShuffle(r): one kernel ~ N(0, 2 / fan_in) per channel behind the "
        "shuffle, r² times the same; every other weight ~ N(0, 2 / fan_in)",
        assumes="the shuffle to follow at once, or behind activations and norms; a convolution counts as a sub-pixel "
        "layer if it runs right before a PixelShuffle, and its note says so",
        when="for super-resolution and generators with pixel shuffles. The factor of torch.pixel_shuffle, which is no "
        "module, is not seen: give upscale, and match the layer by name where it is not found",
        reference="Aitken et al. 2017, Checkerboard artifact free sub-pixel convolution (arXiv 1707.02937), section 3",
    )

    upscale: int | None = Field(
        None, ge=2, description="factor of shuffles that are no module, and for layers that are matched by name"
    )

    def check_network(self, network: Network) -> None:
        """There has to be a sub-pixel layer, or a hint where to look for one.

        Raises:
            UsageError: there is none.
        """
        if self.upscale is None and not any(network.once(sub_pixel).values()):
            raise UsageError(
                "scheme 'icnr' is about the layer before a PixelShuffle, and no such module was seen to follow a layer",
                hint="give upscale=2 for torch.pixel_shuffle, and match the layer by its name if it is not found",
            )

    def fill(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """See ``Scheme.fill``; sub-pixel layers are those that were found."""
        if self.treatment(weight) != "draw" or weight.role not in CONVOLUTIONS:
            return super().fill(weight, network, variates)
        factor = network.once(sub_pixel).get(weight.name)
        return self._drawn(weight, network, variates, self.upscale if factor == 0 else factor)

    def fill_chosen(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """See ``Scheme.fill_chosen``; a layer that was matched by name is a sub-pixel layer."""
        if weight.role not in CONVOLUTIONS:
            return super().fill_chosen(weight, network, variates)
        return self._drawn(weight, network, variates, network.once(sub_pixel).get(weight.name) or self.upscale)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """He's numbers; a bias that was matched by name is zero, for cells of one colour need equal ones."""
        if weight.role == "bias":
            return Filled(constant(weight.shape, 0.0), 0.0)
        std = scaled_std(weight, "fan_in", math.sqrt(2.0))
        untold = weight.role in CONVOLUTIONS and network.once(sub_pixel).get(weight.name) == 0
        note = "a pixel shuffle follows whose factor is not seen: drawn as any other; give upscale" if untold else None
        return Filled(normal(variates, weight.shape, std), std, note=note)

    def _drawn(self, weight: Weight, network: Network, variates: Variates, factor: int | None) -> Filled:
        if factor is None:
            return super().fill_chosen(weight, network, variates)
        kernel, cell = kernel_of(weight, network), factor**2
        if kernel.outputs % cell:
            note = f"{kernel.outputs} outputs per group make no cells of {cell} pixels: drawn as any other"
            std = scaled_std(weight, "fan_in", math.sqrt(2.0))
            return Filled(normal(variates, weight.shape, std), std, note=note)
        return _repeated(weight, kernel, variates, cell)


def _repeated(weight: Weight, kernel: Kernel, variates: Variates, cell: int) -> Filled:
    """One draw per output channel of the shuffle, at all pixels of its cell (torch counts those fastest)."""
    std, axis = scaled_std(weight, "fan_in", math.sqrt(2.0)), kernel.order[0]
    numbers = normal(variates, weight.shape, std).movedim(axis, 0)
    values = numbers[::cell].repeat_interleave(cell, 0).movedim(0, axis)
    return Filled(values, std, note=f"a sub-pixel layer: every kernel stands there {cell} times")


def sub_pixel(network: Network) -> Mapping[str, int]:
    """Weights that run right before a pixel shuffle, with its factor; 0 for one that is no module.

    A shuffle is a view of its input, so that the anatomy knows no way from it to the layer: what runs before it, with
    nothing but activations and norms between, is taken for that layer.
    """
    from torch import nn

    found: dict[str, int] = {}
    before: str | None = None
    for site in network.anatomy.sites:
        if site.kind == "other" and before is not None and site.alias_of is None:
            module = network.model.get_submodule(site.path)
            if isinstance(module, nn.PixelShuffle):
                found[before] = module.upscale_factor
        before = _carried(site, before)
    return {**_functional(network.anatomy), **found}


def _carried(site: Site, before: str | None) -> str | None:
    """The weight whose cells are still whole behind this site."""
    if site.kind == "weighted":
        return site.weight
    return before if site.kind in CELLWISE or site.alias_of is not None else None


def _functional(anatomy: Anatomy) -> dict[str, int]:
    """Weights whose output a call of torch's function takes."""
    sites = {site.key: site for site in anatomy.sites}
    found: dict[str, int] = {}
    for call, names in anatomy.calls.items():
        before: str | None = None
        for name in names:
            if name == SHUFFLE and before is not None:
                found[before] = 0
            site = sites.get(name) or sites.get(f"{call}/{name}")
            before = _carried(site, before) if site is not None else None
    return found
