"""Videos that a forward takes beside images."""

from __future__ import annotations

from collections.abc import Mapping

from initprobe.load.dummies.base import Constant, Dummy, Modality, Network, Noise, modality

FRAMES = 4
_NEAR = ("vision", "video", "encoder")


def _planes(network: Network) -> tuple[int, int, int]:
    size = network.find("image_size", "crop_size", "img_size", near=_NEAR)
    size = size[0] if isinstance(size, (list, tuple)) and size else size
    size = size if isinstance(size, int) else 224
    return network.whole("num_channels", "in_channels", "in_chans", near=_NEAR) or 3, size, size


def _frames(network: Network) -> int:
    return network.whole("num_frames", "frames_per_clip", near=_NEAR) or FRAMES


def _pixels(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:  # noqa: ARG001
    channels, height, width = _planes(network)
    if "video_grid_thw" in network.takes:
        merge = network.whole("spatial_merge_size", near=_NEAR) or 1
        numbers = (network.whole("temporal_patch_size", near=_NEAR) or 1) * channels
        patch = network.whole("patch_size", "spatial_patch_size", near=_NEAR) or 16
        return [Noise((numbers * patch**2,), rows=2 * (2 * merge) ** 2)]
    frames = _frames(network)
    return [Noise((frames, channels, height, width)), Noise((channels, frames, height, width))]


def _grid(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:  # noqa: ARG001
    merge = network.whole("spatial_merge_size", near=_NEAR) or 1
    return [Constant([[2, 2 * merge, 2 * merge]], rows=True)]


VIDEO = modality(
    Modality(
        name="video",
        order=2,
        data={"pixel_values_videos": _pixels},
        companions={"video_grid_thw": _grid},
    )
)
