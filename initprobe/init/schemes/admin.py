"""Admin: skip paths of post-norm transformers that weigh as much as all branches before them together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from initprobe.errors import UsageError
from initprobe.init.distributions import Distribution, constant, draw
from initprobe.init.fans import UndrawableError, scaled_std
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.init.towers import Tower, find_towers, is_pre_norm
from initprobe.records import Branch, Weight

if TYPE_CHECKING:
    from initprobe.hooks import Visit
    from initprobe.init.calibration import Calibration
    from initprobe.init.network import Network
    from initprobe.init.slots import Slot
    from initprobe.variates import Variates

DIVIDED = (
    "the model has no ω on this skip path: divided by ω = {omega:.4g} instead, which is the same function; a learning "
    "rate divided by ω (by ω² for SGD) makes it the same training"
)


@register
class Admin(Scheme):
    """Xavier, and then ω on every skip path from the variances of one forward pass."""

    card = SchemeCard(
        name="admin",
        family="transformer",
        summary="Xavier, and every skip path times the standard deviation of all that was added before it",
        formula="Var W = 2 / (fan_in + fan_out); x_i = LayerNorm(ω_i x_(i-1) + f_i), "
        "ω_1 = 1, ω_i² = Var x_0 + Σ_(j<i) Var f_j, measured with all ω = 1",
        assumes="the normalization behind the sum, with scale 1; all elements of a branch's output vary alike",
        when="for deep post-norm transformers; where the model has no ω, the branch is divided by it, which is the "
        "same function at initialization and not the same training",
        reference="Liu et al. 2020, Understanding the Difficulty of Training Transformers (arXiv 2004.08249), "
        "section 4.3; ω_1 = 1 as in the authors' code",
    )
    calibrates: ClassVar[bool] = True

    distribution: Distribution = Field("normal", description="shape of the distribution of the weights")

    def check_network(self, network: Network) -> None:
        """There have to be residual branches, and a normalization behind every sum."""
        towers = find_towers(network).towers
        if not towers:
            raise UsageError(
                "admin weighs the skip paths of residual branches, and this network has no residual branch",
                hint="lsuv for a plain network",
            )
        if any(is_pre_norm(tower, network) for tower in towers):
            raise UsageError(
                "admin is made for normalizations behind the sum, and this network adds its branches without one",
                hint="t_fixup without normalization; pre-norm branches need no such weight",
            )

    def fill(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """As every scheme does; the scale of a skip path is one until the variances are known."""
        if weight.role == "gate" and weight.name in network.once(_skip_scales).values():
            return Filled(constant(weight.shape, 1.0), 0.0)
        return super().fill(weight, network, variates)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:  # noqa: ARG002
        """Xavier's numbers."""
        std = scaled_std(weight, "fan_avg", 1.0)
        return Filled(draw(variates, weight.shape, self.distribution, std), std)

    def calibrate(self, calibration: Calibration) -> Sequence[str]:
        """Measure what every branch adds, and weigh the skip paths."""
        anatomy = calibration.network.anatomy
        towers = find_towers(calibration.network).towers
        variances = _measure(calibration, [branch for tower in towers for branch in tower.branches])
        scales = calibration.network.once(_skip_scales)
        slots = {slot.weight.name: slot for slot in calibration.slots}
        told = []
        for tower in towers:
            omegas = dict(_omegas(tower, variances))
            for branch, omega in omegas.items():
                _weigh(calibration, slots, anatomy.branches[branch], omega, scales.get(branch))
            if omegas:
                told.append(f"ω grows from 1 to {max(omegas.values()):.4g} over the {len(omegas)} branches of {tower}")
        return told


def _measure(calibration: Calibration, branches: Sequence[Branch]) -> Mapping[str, float]:
    """Variance over all elements of what branches add and are added to, by the key of the site."""
    from initprobe.hooks import watching

    wanted = {key for branch in branches for key in (branch.end, branch.beside) if key is not None}
    variances: dict[str, float] = {}

    def see(visit: Visit) -> None:
        if visit.key in wanted:
            variances[visit.key] = float(visit.tensor.detach().double().var(correction=0))

    with calibration.running() as model, watching(model, see, operations=True):
        calibration.output(model, calibration.call())
    return variances


def _omegas(tower: Tower, variances: Mapping[str, float]) -> Iterator[tuple[int, float]]:
    """Index of each branch with its ω; a branch that no site shows counts as adding nothing."""
    first = tower.branches[0].beside
    total = variances.get(first, 1.0) if first is not None else 1.0
    for place, branch in enumerate(tower.branches):
        yield branch.index, math.sqrt(total) if place and total > 0.0 else 1.0
        total += variances.get(branch.end, 0.0) if branch.end is not None else 0.0


def _weigh(
    calibration: Calibration, slots: Mapping[str, Slot], branch: Branch, omega: float, scale: str | None
) -> None:
    """Write ω to the skip path, or divide the branch by it: LayerNorm(ω x + f) = LayerNorm(x + f / ω)."""
    if scale is not None and scale in slots:
        calibration.write(slots[scale], constant(slots[scale].weight.shape, omega))
        return
    for slot in (slots[name] for name in branch.tails if name in slots and omega != 1.0):
        note = f"ω = {omega:.4g} is not applied: a normalization at the end of the branch would undo it"
        if branch.norm is None:
            try:
                calibration.write(slot, slot.read() / omega)
                note = DIVIDED.format(omega=omega)
            except UndrawableError as reason:
                note = f"ω = {omega:.4g} is not applied: {reason}"
        calibration.notes.update(dict.fromkeys(slot.parameters, note))


def _skip_scales(network: Network) -> Mapping[int, str]:
    """Name of the parameter that scales the skip path around a branch, by the index of the branch.

    Scales of one block belong to its branches in the order of their depth.
    """
    anatomy = network.anatomy
    scaled: dict[str, list[Branch]] = {}
    for branch in anatomy.outer_branches:
        if branch.skip == "scaled":
            scaled.setdefault(branch.block, []).append(branch)
    own = {branch.gate for branch in anatomy.branches}
    inside: dict[str, list[Weight]] = {}
    for gate in anatomy.weights:
        block = gate.module
        while block and block not in scaled:
            block = block.rpartition(".")[0]
        if gate.role == "gate" and gate.name not in own and block in scaled:
            inside.setdefault(block, []).append(gate)
    return {
        branch.index: gate.name
        for block, gates in inside.items()
        if len(gates) == len(scaled[block])
        for branch, gate in zip(scaled[block], sorted(gates, key=lambda gate: gate.depth or 0), strict=True)
    }
