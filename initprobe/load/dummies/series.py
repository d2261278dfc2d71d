"""Time series."""

from __future__ import annotations

from collections.abc import Mapping

from initprobe.load.dummies.base import Dummy, Make, Modality, Network, Noise, modality, ones


def _past(network: Network) -> int:
    lags = network.find("lags_sequence")
    longest = max(lags) if isinstance(lags, (list, tuple)) and lags else 0
    return (network.whole("context_length", "context_len") or 64) + longest


def _width(network: Network) -> tuple[int, ...]:
    """Values at a time; no axis of its own for a single one."""
    width = network.whole("num_input_channels", "input_size") or 1
    return () if width == 1 and "past_time_features" in network.takes else (width,)


def _values(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:  # noqa: ARG001
    length, width = _past(network), _width(network)
    return list(dict.fromkeys([Noise((length, *width)), Noise((length,)), Noise((length, 1))]))


def _time_features(length: str) -> Make:
    def make(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:  # noqa: ARG001
        steps = _past(network) if length == "past" else network.whole("prediction_length") or 1
        count = network.find("num_time_features")
        return [Noise((steps, count if isinstance(count, int) else 1))]

    return make


def _observed(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:  # noqa: ARG001
    past = chosen.get("past_values")
    return [ones(*past.shape)] if isinstance(past, Noise) else []


def _future(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:  # noqa: ARG001
    return [Noise((network.whole("prediction_length") or 1, *_width(network)))]


SERIES = modality(
    Modality(
        name="series",
        order=4,
        data={"past_values": _values},
        companions={
            "past_time_features": _time_features("past"),
            "past_observed_mask": _observed,
            "future_values": _future,
            "future_time_features": _time_features("future"),
        },
    )
)
