"""Reads one array of an ``.npz`` file; nothing in the file can run."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch

from initprobe.errors import UsageError

FILE_LIMIT = 2**32
"""Bytes of one array once it is unpacked."""


def read_array(path: Path, array: str | None) -> torch.Tensor:
    """The named (or only) array of an ``.npz`` file as a tensor with at least one row.

    Raises:
        UsageError: the file is not there, is no ``.npz``, holds Python objects, holds several arrays and none is named,
            or unpacks to more than ``FILE_LIMIT`` bytes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {entry.filename.removesuffix(".npy"): entry.file_size for entry in archive.infolist()}
        name = _array_name(path, array, list(sizes))
        if sizes[name] > FILE_LIMIT:
            raise UsageError(f"{str(path)!r}: the array {name!r} is larger than {FILE_LIMIT:.3g} bytes")
        with np.load(path, allow_pickle=False) as file:
            values = np.asarray(file[name])
        if values.ndim == 0 or values.shape[0] == 0:
            raise UsageError(f"{str(path)!r}: the array {name!r} has no rows")
        native = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
        return torch.from_numpy(native)
    except FileNotFoundError:
        raise UsageError(f"there is no data file {str(path)!r}") from None
    except (OSError, ValueError, TypeError, MemoryError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(
            f"cannot read {str(path)!r} as .npz: {error}", hint="write it with numpy.savez(file, x=array)"
        ) from error


def _array_name(path: Path, array: str | None, names: list[str]) -> str:
    if array is None and len(names) == 1:
        return names[0]
    if array in names:
        return array
    listed = ", ".join(map(repr, names)) or "none"
    problem = "holds several arrays" if array is None else f"has no array {array!r}"
    raise UsageError(f"{str(path)!r} {problem}", hint=f"arrays in the file: {listed}")
