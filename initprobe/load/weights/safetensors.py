"""Safetensors: a header in JSON and the numbers behind it, nothing that could run; read by mapping the file."""

from __future__ import annotations

from pathlib import Path

import torch

from initprobe.errors import MissingExtraError, UsageError, first_line
from initprobe.load.limits import readable
from initprobe.load.weights.base import WeightsFormat, weights_format

LENGTH_BYTES = 8
"""A file begins with the length of its header, little-endian."""

HEADER_LIMIT = 100_000_000
"""Bytes of a header, as in the library."""


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Every tensor of the file; see ``weights.base.WeightsFormat``."""
    _check_header(path)
    try:
        from safetensors import safe_open
    except ImportError:
        raise MissingExtraError(f"reading {path.name!r}", "safetensors") from None
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except Exception as error:
        if "not fully covered" in str(error) or "IncompleteBuffer" in str(error):
            raise UsageError(f"{str(path)!r} was cut off, or does not hold what its header tells") from error
        raise UsageError(f"cannot read {str(path)!r} as safetensors: {first_line(error)}") from error


def _check_header(path: Path) -> None:
    """Hold the length of the header to the size of the file before anybody reserves that much.

    Raises:
        UsageError: the file has no room for it.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
    if not 2 <= length <= min(HEADER_LIMIT, size - LENGTH_BYTES):
        raise UsageError(
            f"{str(path)!r} is no safetensors file, or was cut off: "
            f"a header of {readable(length)} in a file of {readable(size)}"
        )


SAFETENSORS = weights_format(WeightsFormat("safetensors", (".safetensors",), read_safetensors))
