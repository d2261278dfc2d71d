"""Samples and labels of an ``.npz`` file; nothing in the file can run."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from initprobe.errors import UsageError
from initprobe.subject import Call
from initprobe.variates import generator

FILE_LIMIT = 2**32
"""Bytes of one array once it is unpacked."""


class FileInputs:
    """Rows of one array of an ``.npz`` file, chosen by a seeded permutation; passed by position.

    A batch larger than the file is the whole file: no row comes twice, or statistics over the batch would lie.

    Args:
        path: the file.
        array: name of the array in it; None where it holds a single one.

    Attributes:
        path: the file.
        rows: number of samples in the file.
        sample_shape: shape of one sample.
        dtype: the array's dtype; integers keep it, floats arrive in the dtype of the probe.

    Raises:
        UsageError: the file is not there, is no ``.npz``, holds Python objects, is too large, or several arrays
            and none is named.
    """

    fixed: None = None

    def __init__(self, path: str | Path, array: str | None = None) -> None:
        self.path = Path(path)
        self._values = read_array(self.path, array)
        self.rows = self._values.shape[0]
        self.sample_shape = tuple(self._values.shape[1:])
        self.dtype = self._values.dtype

    def order(self, batch: int, seed: int) -> torch.Tensor:
        """The rows that a batch is made of, ``min(batch, rows)`` of them."""
        return torch.randperm(self.rows, generator=generator(seed, "@input.file"))[:batch]

    def make(self, batch: int, seed: int, dtype: torch.dtype) -> Call:
        """A batch of ``min(batch, rows)`` rows; see ``subject.Inputs``."""
        values = self._values[self.order(batch, seed)]
        return Call((values.to(dtype) if values.is_floating_point() else values,))

    def labels(self, array: str) -> torch.Tensor:
        """All rows of another array of the file, the label of a sample in the row that the sample has in its own.

        Raises:
            UsageError: there is no such array, or it has another number of rows.
        """
        found = read_array(self.path, array)
        if len(found) != self.rows:
            message = f"{str(self.path)!r}: there are {len(found):,} labels in {array!r} for {self.rows:,} samples"
            raise UsageError(message, hint="a label stands in the row that its sample has in the other array")
        return found


@dataclass(frozen=True)
class LabelledInputs:
    """Samples of a file, each with its label.

    Attributes:
        samples: makes the batches.
        labels: those of all rows.
    """

    samples: FileInputs
    labels: torch.Tensor
    fixed: None = None

    def make(self, batch: int, seed: int, dtype: torch.dtype) -> Call:
        """A batch of ``min(batch, rows)`` rows with their labels; see ``subject.Inputs``."""
        return replace(self.samples.make(batch, seed, dtype), labels=self.labels[self.samples.order(batch, seed)])


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
