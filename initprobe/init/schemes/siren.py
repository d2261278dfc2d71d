"""SIREN: networks of sines whose layers all see the same distribution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from initprobe.errors import UsageError
from initprobe.init.distributions import uniform
from initprobe.init.fans import Factor, UndrawableError, fan
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.records import ActivationUse, Weight

if TYPE_CHECKING:
    from initprobe.init.network import Network
    from initprobe.variates import Variates


@register
class Siren(Scheme):
    """U(±1 / fan_in) in the first layer, U(±√(6 / fan_in) / omega_0) behind sines."""

    card = SchemeCard(
        name="siren",
        family="classical",
        summary="for sin(omega_0 (W x + b)): uniform by the fan-in, divided by omega_0 behind the first layer",
        formula="first layer: W ~ U(±1 / fan_in); behind a sine, the last layer too: W ~ U(±√(6 / fan_in) / omega_0); "
        "b ~ U(±1 / √fan_in)",
        assumes="sin(omega_0 z) as activation, with omega_0 in the model, and inputs that are uniform in [-1, 1]",
        when="for networks that represent images, sounds and fields by coordinates; omega_0 has to be the model's",
        reference="Sitzmann et al. 2020, Implicit Neural Representations with Periodic Activation Functions "
        "(arXiv 2006.09661), section 3.2 and supplement 1.5; biases as the authors' code leaves them to torch",
    )

    omega_0: Factor = Field(30.0, description="the factor inside the sine, which the model applies; 1 for torch.sin(x)")
    bias: Literal["uniform", "zero"] = Field(
        "uniform",
        description="uniform: U(±1 / √fan_in), which torch draws and the authors keep. zero: as the paper's derivation "
        "has it; without phases the network is an odd function",
    )

    def check_network(self, network: Network) -> None:
        """Make sure that there are sines.

        Raises:
            UsageError: there are none.
        """
        if not any(
            _is_sine(use) for one in network.anatomy.weights for use in (one.input_activation, one.output_activation)
        ):
            raise UsageError(
                "siren is for layers with a sine between them, and this network has none",
                hint="apply torch.sin(omega_0 * x) behind the layers, or take variance_scaling, which knows other "
                "activations",
            )

    def fill(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Any parameter.

        Raises:
            UndrawableError: it is kept, or no sine is near it.
        """
        if self.bias == "uniform" and weight.role == "bias" and len(weight.shape) == 1 and weight.fan_in:
            return _uniform(weight, variates, 1.0 / math.sqrt(weight.fan_in))
        return super().fill(weight, network, variates)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:  # noqa: ARG002 - see Scheme
        """One matrix.

        Raises:
            UndrawableError: it has no fan-in, or no sine is near it.
        """
        inputs = fan(weight, "fan_in")
        if _is_sine(weight.input_activation):
            return _uniform(weight, variates, math.sqrt(6.0 / inputs) / self.omega_0)
        # What multiplies the sine's argument may hide it: a layer that sees the input and has no other activation.
        first = weight.depth == 1 and weight.input_activation is None and weight.output_activation is None
        if _is_sine(weight.output_activation) or first:
            return _uniform(weight, variates, 1.0 / inputs)
        raise UndrawableError("no sine stands before or behind it, and SIREN says nothing of other layers")


def _is_sine(use: ActivationUse | None) -> bool:
    return use is not None and use.name == "sine"


def _uniform(weight: Weight, variates: Variates, limit: float) -> Filled:
    return Filled(uniform(variates, weight.shape, limit), limit / math.sqrt(3.0))
