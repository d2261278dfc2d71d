"""What ``torch.save`` wrote: a pickle, of which torch's safe unpickler reads the tensors and refuses the rest."""

from __future__ import annotations

import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch.torch_version import TorchVersion

from initprobe.errors import UsageError, first_line
from initprobe.load.weights.base import WeightsFormat, weights_format

SAFE = "2.10"
"""The first torch whose safe unpickler has no known hole (CVE-2025-32434, CVE-2026-24747)."""

_FORBIDDEN = re.compile(r"GLOBAL (\S{1,200})")
_ALONE = "save the weights alone: torch.save(model.state_dict(), FILE), or as .safetensors"


def read_pickled(path: Path) -> Any:
    """Whatever the file holds, tensors in mapped memory where it is an archive; see ``weights.base.WeightsFormat``."""
    check_version(torch.__version__)
    archive = zipfile.is_zipfile(path)
    if archive:
        _check_archive(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of types that are deprecated
            return torch.load(path, map_location="cpu", weights_only=True, mmap=archive)
    except Exception as error:
        raise _refused(path, error) from error


def check_version(version: str) -> None:
    """Refuse to read a pickle with a torch that is known to run code in it.

    Raises:
        UsageError: this version is too old.
    """
    if TorchVersion(version) < SAFE:
        raise UsageError(
            f"torch {version} is not safe against malicious checkpoints (CVE-2025-32434, CVE-2026-24747)",
            hint=f"update torch to {SAFE} or later, or save the weights as .safetensors",
        )


def _check_archive(path: Path) -> None:
    """Nothing in it may grow when it is read: ``torch.save`` compresses nothing.

    Raises:
        UsageError: something is compressed, or it is a model of TorchScript.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UsageError(f"cannot read {str(path)!r}: {first_line(error)}") from error
    if any(entry.filename.endswith("/constants.pkl") for entry in entries):
        raise UsageError(f"{str(path)!r} is a TorchScript model, not a checkpoint", hint=_ALONE)
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise UsageError(f"{str(path)!r} is a compressed archive, which torch.save writes none of", hint=_ALONE)


def _refused(path: Path, error: Exception) -> UsageError:
    found = _FORBIDDEN.search(str(error))
    if found is not None:
        return UsageError(
            f"{str(path)!r} holds more than tensors: {found[1]!r} would have to run, and was refused", hint=_ALONE
        )
    reason = f": {first_line(error).partition('. ')[0]}" if isinstance(error, RuntimeError) else ""
    return UsageError(f"{str(path)!r} is no checkpoint that torch can read, or was cut off{reason}", hint=_ALONE)


PICKLED = weights_format(WeightsFormat("pickled", (".pt", ".pth", ".bin", ".ckpt"), read_pickled))
