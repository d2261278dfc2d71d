"""States, actions and rewards, as decision transformers take them."""

from __future__ import annotations

from collections.abc import Mapping

from initprobe.load.dummies.base import Constant, Dummy, Make, Modality, Network, Noise, modality, ones

STEPS = 16


def _noise(*names: str) -> Make:
    def make(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:  # noqa: ARG001
        return [Noise((STEPS, (network.whole(*names) if names else None) or 1))]

    return make


DECISIONS = modality(
    Modality(
        name="decisions",
        order=5,
        data={
            "states": _noise("state_dim"),
            "actions": _noise("act_dim"),
            "rewards": _noise(),
            "returns_to_go": _noise(),
        },
        companions={"timesteps": lambda _network, _chosen: [Constant(list(range(STEPS)))]},
        required={"attention_mask": lambda _network, _chosen: [ones(STEPS)]},
    )
)
