"""Sounds: as a waveform, or as features of its frames."""

from __future__ import annotations

from collections.abc import Mapping

from initprobe.load.dummies.base import Constant, Dummy, Modality, Network, Noise, modality, ones

SAMPLES = 16_000
"""Values of a waveform: a second at 16 kHz."""

FRAMES = 128
"""Frames of features, where the configuration says nothing: a bit more than a second."""

_NEAR = ("audio", "speech", "encoder")
_BANDS = (
    "num_mel_bins",
    "n_mels",
    "input_feat_per_channel",
    "feature_projection_input_dim",
    "feature_size",
    "input_size",
    "input_dim",
    "n_mel_channels",
    "input_feat_size",
)


def _waveform(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:  # noqa: ARG001
    made: list[Dummy] = [
        Noise((SAMPLES,)),
        Noise((network.whole("audio_channels", near=_NEAR) or 1, SAMPLES)),
    ]
    bands = network.whole("num_mel_bins", near=_NEAR)
    frames = network.whole("max_length", near=_NEAR)
    if bands and frames and network.whole("patch_size", near=_NEAR):  # spectrograms that are cut like images
        made.insert(0, Noise((frames, bands)))
    return made


def _features(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:  # noqa: ARG001
    made: list[Dummy] = []
    positions = network.whole("max_source_positions", near=_NEAR)
    bands = [found for name in _BANDS if (found := network.whole(name, near=_NEAR))] or [80]
    if positions and network.find("num_mel_bins", near=_NEAR):  # Whisper takes exactly that many frames
        made.append(Noise((bands[0], 2 * positions)))
    side = network.whole("spec_size", near=_NEAR)
    if side:  # CLAP: one picture of the whole sound
        ratio = side // bands[0] if side > bands[0] else 1
        made.append(Noise((1, side * ratio, bands[0])))
    for width in dict.fromkeys(bands):
        made += [Noise((FRAMES, width)), Noise((width, FRAMES))]
    return made


def _frame_mask(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:
    features = chosen.get("input_features")
    if not isinstance(features, Noise):
        return []
    frames, last = features.shape[-2:]
    bands = {network.whole(name, near=_NEAR) for name in _BANDS}
    axis = last if frames in bands and last not in bands else frames
    return [ones(axis), ones(axis, kind="bool")]


def _values_mask(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:  # noqa: ARG001
    values = chosen.get("input_values")
    return [ones(values.shape[-1], kind="bool"), ones(values.shape[-1])] if isinstance(values, Noise) else []


AUDIO = modality(
    Modality(
        name="audio",
        order=3,
        data={"input_values": _waveform, "input_features": _features, "audio_values": _waveform},
        companions={"feature_attention_mask": _frame_mask, "input_features_mask": _frame_mask},
        required={
            "padding_mask": _values_mask,
            "is_longer": lambda _network, _chosen: [Constant([False], kind="bool")],
        },
    )
)
