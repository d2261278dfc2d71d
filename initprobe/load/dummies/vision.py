"""Images: as planes of pixels, as tiles of one image, or cut into patches already."""

from __future__ import annotations

import math
from collections.abc import Mapping

from initprobe.load.dummies.base import Constant, Dummy, Modality, Network, Noise, modality, ones

SIDE = 224
"""Pixels on a side, where the configuration says nothing."""

_NEAR = ("vision", "image", "vit", "backbone", "visual", "encoder")


def side(network: Network) -> tuple[int, int]:
    """Height and width of an image."""
    value = network.find("image_size", "img_size", "input_size", near=_NEAR)
    if isinstance(value, dict):
        value = [value.get("height"), value.get("width")]
    if isinstance(value, (list, tuple)) and len(value) >= 2 and all(isinstance(item, int) for item in value[:2]):
        return int(value[0]), int(value[1])
    if isinstance(value, (list, tuple)) and value:
        value = value[0]
    return (value, value) if isinstance(value, int) and value > 0 else (SIDE, SIDE)


def channels(network: Network) -> int:
    """Channels of an image."""
    return network.whole("num_channels", "in_channels", "in_chans", "image_channels", near=_NEAR) or 3


def patch(network: Network) -> int:
    """Pixels on a side of a patch."""
    return network.whole("patch_size", "spatial_patch_size", near=_NEAR) or 16


def grid(network: Network) -> int:
    """Patches on a side of an image that comes in patches: enough for two merged ones."""
    merge = network.whole("spatial_merge_size", "merge_size", "downsample_factor", near=_NEAR) or 1
    return 2 * merge


def patch_width(network: Network) -> int:
    """Numbers in a patch."""
    frames = network.whole("temporal_patch_size", near=_NEAR) or 1
    return channels(network) * frames * patch(network) ** 2


def _pixels(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:  # noqa: ARG001
    planes = (channels(network), *side(network))
    across = grid(network)
    frames = network.whole("num_frames", near=_NEAR)
    if "spatial_shapes" in network.takes:
        return [Noise((across**2, patch_width(network))), Noise(planes)]
    if "image_grid_thw" in network.takes or "grid_thw" in network.takes:
        return [Noise((patch_width(network),), rows=across**2), Noise(planes)]
    single: list[Dummy] = [Noise(planes), Noise((1, *planes)), Noise((1, 1, *planes))]
    if network.find("image_grid_pinpoints") is not None:
        single.insert(0, Noise((_tiles(network), *planes)))
    if frames is not None:
        single.insert(0, Noise((frames, *planes)))
    return [*single, Noise((2, *planes))]


def _patches(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:  # noqa: ARG001
    """Images of vision towers that take patches as ``hidden_states``."""
    return [Noise((patch_width(network),), rows=grid(network) ** 2)]


def _grid(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:  # noqa: ARG001
    return [Constant([[1, grid(network), grid(network)]], rows=True)]


def _shapes(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:  # noqa: ARG001
    return [Constant([grid(network), grid(network)])]


def _sizes(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:  # noqa: ARG001
    return [Constant(list(_whole_size(network)))]


def _whole_size(network: Network) -> tuple[int, int]:
    """Height and width of an image before it is cut into tiles."""
    sizes = network.find("image_grid_pinpoints")
    if isinstance(sizes, (list, tuple)) and sizes and isinstance(sizes[0], (list, tuple)):
        return int(sizes[0][0]), int(sizes[0][1])
    return side(network)


def _tiles(network: Network) -> int:
    """Tiles of such an image, and one more that shows it whole."""
    (high, wide), (height, width) = _whole_size(network), side(network)
    return 1 + math.ceil(high / height) * math.ceil(wide / width)


def _mask(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:
    """Which pixels, or which patches, belong to the image: all."""
    pixels = chosen.get("pixel_values")
    if "spatial_shapes" in network.takes:
        return [ones(grid(network) ** 2)]
    lead = pixels.shape[:-3] if isinstance(pixels, Noise) else ()
    return [ones(*lead, *side(network), kind="bool")]


VISION = modality(
    Modality(
        name="image",
        order=1,
        data={"pixel_values": _pixels, "images": _pixels},
        companions={"image_grid_thw": _grid, "spatial_shapes": _shapes, "image_sizes": _sizes},
        required={
            "grid_thw": _grid,
            "hidden_states": _patches,
            "pixel_attention_mask": _mask,
            "pixel_mask": _mask,
        },
    )
)
