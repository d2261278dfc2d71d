"""AutoInit: mean and variance of the signal are derived layer by layer, and every weight keeps them at (0, 1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from initprobe.init.distributions import Distribution, draw
from initprobe.init.fans import UndrawableError, fan
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.records import MATRIX_ROLES, Weight

if TYPE_CHECKING:
    from initprobe.init.calibration import Calibration
    from initprobe.init.network import Network
    from initprobe.init.slots import Slot
    from initprobe.variates import Variates

UNREACHED = "drawn with variance 1 / fan_in: no operation was seen that multiplies it with one signal alone"


@register
class AutoInit(Scheme):
    """Variance 1 / (fan_in · (ν + μ²)), μ and ν derived through everything between two weights."""

    card = SchemeCard(
        name="autoinit",
        family="data",
        summary="keeps mean 0 and variance 1 behind every weight by deriving both through the network",
        formula="Var W = 1 / (fan_in · (ν + μ²)), μ and ν of the weight's input: activations by quadrature, x + y and "
        "x · y of independent signals, dropout ν' = (ν + p μ²) / (1 - p), concatenation, normalization; other "
        "operations measured; fan_in less what zero padding adds",
        assumes="normal pre-activations, and signals that are independent where they share no weight",
        when="for networks with uncommon activations or operations between their weights; it derives where lsuv "
        "measures, and looks at the batch only for operations that have no formula",
        reference="Bingham & Miikkulainen 2023, AutoInit (arXiv 2109.08958), section 4, algorithm 1",
    )
    calibrates = True

    distribution: Distribution = Field(
        "truncated_normal", description="truncated_normal is cut off at two sigmas, then rescaled"
    )

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:  # noqa: ARG002 - see above
        """Variance 1 / fan_in, until the input is known."""
        std = 1.0 / math.sqrt(fan(weight, "fan_in"))
        return Filled(draw(variates, weight.shape, self.distribution, std), std)

    def calibrate(self, calibration: Calibration) -> Sequence[str]:
        """One pass, in which every weight is scaled right before it is used."""
        from initprobe.hooks import tensors_in
        from initprobe.init.propagation import Propagation

        products = [slot for slot in calibration.slots if slot.weight.role in MATRIX_ROLES]
        weights = {name: slot for slot in products for name in (slot.weight.name, *slot.parameters)}
        done: dict[str, float] = {}

        def scale(name: str, product: float) -> float | None:
            slot = weights.get(name)
            if slot is None:
                return None
            if slot.weight.name not in done:
                done[slot.weight.name] = _scaled(slot, product, calibration)
            return done[slot.weight.name]

        with calibration.running() as model:
            tape = Propagation(model, scale)
            call = calibration.call()
            for _, tensor in [*tensors_in(call.args), *tensors_in(call.kwargs)]:
                tape.add_input(tensor)
            with tape:
                calibration.output(model, call)
        for slot in calibration.slots:
            if slot.weight.name not in done and len(slot.weight.shape) > 1 and slot.weight.role != "embedding":
                calibration.notes.update(dict.fromkeys(slot.parameters, UNREACHED))
        measured = ", ".join(tape.measured)
        return [f"measured, as no formula says what they make of a signal: {measured}"] if measured else []


def _scaled(slot: Slot, product: float, calibration: Calibration) -> float:
    """Give a weight the variance one over ``product``, and answer with the variance that it has."""
    drawn = 1.0 / fan(slot.weight, "fan_in")
    if not 0.0 < product < math.inf:
        calibration.notes.update(dict.fromkeys(slot.parameters, f"not scaled: its input has second moment {product:g}"))
        return drawn
    try:
        calibration.write(slot, slot.read() * math.sqrt(1.0 / (product * drawn)))
    except UndrawableError as reason:
        calibration.notes.update(dict.fromkeys(slot.parameters, f"not scaled: {reason}"))
        return drawn
    return 1.0 / product
