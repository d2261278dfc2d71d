"""Puts a text or a picture where it belongs: the whole file or nothing."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from initprobe.errors import UsageError

_STREAMS = ("/dev/", "/proc/")


def write_text(path: Path | str, text: str) -> None:
    """Write UTF-8 text as it stands (line ends are not translated); see ``write_bytes``."""
    write_bytes(path, text.encode())


def check_writable(path: Path | str) -> None:
    """Find out whether a file can be written there before hours are spent on what it is to hold.

    Raises:
        UsageError: its directory is not there or takes no file, or it is a directory itself.
    """
    place = Path(path)
    folder = place.parent
    if place.is_dir():
        raise UsageError(f"cannot write {str(place)!r}: it is a directory", hint="name a file in it")
    if is_stream(place):
        return
    if not folder.is_dir():
        raise UsageError(f"cannot write {str(place)!r}: there is no directory {str(folder)!r}", hint="make it first")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"cannot write {str(place)!r}: {str(folder)!r} takes no files", hint="choose another place")


def make_folder(folder: Path) -> None:
    """Make a directory where there is none yet.

    Raises:
        UsageError: it cannot be made.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the directory {str(folder)!r}: {_reason(error)}") from error


def write_bytes(path: Path | str, data: bytes) -> None:
    """Write a file so that readers see the old one or the new one and never a part.

    The bytes go to a temporary file beside it, which then takes its name (and the place of a symbolic link, whose
    target stays as it is). Devices and pipes are written as they are.

    Raises:
        UsageError: the place cannot be written; the old file is still there, and no temporary one.
    """
    place = Path(path)
    try:
        if is_stream(place):
            with place.open("wb") as stream:
                stream.write(data)
        else:
            _replace(place, data)
    except OSError as error:
        raise UsageError(f"cannot write {str(place)!r}: {_reason(error)}", hint=_hint(place, error)) from error


def rewrite_bytes(path: Path | str, data: bytes) -> None:
    """Write a file that may be there already as its owner wants it: its mode and what a link leads to are kept.

    Raises:
        UsageError: as ``write_bytes`` does.
    """
    place = Path(path)
    try:
        place = place.resolve()
        mode = stat.S_IMODE(place.stat().st_mode) if place.is_file() else None
        if mode is None:
            write_bytes(place, data)
        else:
            _replace(place, data, mode)
    except OSError as error:
        raise UsageError(f"cannot write {str(path)!r}: {_reason(error)}", hint=_hint(place, error)) from error


def _replace(place: Path, data: bytes, mode: int | None = None) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=place.parent, prefix=".initprobe-", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o666 & ~_umask() if mode is None else mode)
        Path(temporary).replace(place)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
    _sync_directory(place.parent)


def is_stream(place: Path) -> bool:
    """Whether bytes are to be poured into what is there: replacing ``/dev/null`` by a file would break the machine."""
    if str(place).startswith(_STREAMS):
        return True
    try:
        mode = place.stat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(21, "it is a directory", str(place))
    return not stat.S_ISREG(mode)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _sync_directory(directory: Path) -> None:
    """Make the new name survive a power cut, where the system can (Windows cannot open a directory)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def _hint(place: Path, error: OSError) -> str:
    if isinstance(error, IsADirectoryError):
        return f"name a file in it, as in {str(place / 'result.json')!r}"
    if not place.parent.is_dir():
        return f"make the directory {str(place.parent)!r} first"
    return "choose another place"
