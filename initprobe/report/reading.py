"""Reads a result file that somebody saved."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from pathlib import Path

from initprobe.errors import UsageError
from initprobe.records import Report
from initprobe.report.result import load_result
from initprobe.report.visible import visible

STDIN = "-"


def read_result(path: str | Path) -> Report:
    """The report that a file holds, or standard input where the path is ``-``.

    Raises:
        UsageError: there is no such file (the message has a close match), it cannot be read, or it is no result file.
    """
    name = "standard input" if str(path) == STDIN else visible(Path(path).as_posix())
    try:
        raw = sys.stdin.buffer.read() if str(path) == STDIN else Path(path).read_bytes()
        text = raw.decode("utf-8")
    except FileNotFoundError:
        raise UsageError(f"there is no file {name!r}", hint=_near(Path(path))) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is no result file: byte 0x{raw[error.start]:02x} is not UTF-8") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"cannot read {name!r}: {reason}") from None
    try:
        return load_result(text)
    except UsageError as error:
        raise UsageError(f"{name}: {error}", hint=error.hint) from None


def _near(path: Path) -> str | None:
    folder = path.parent
    names = [found.name for found in folder.iterdir()] if folder.is_dir() else []
    near = get_close_matches(path.name, names, n=1)
    return f"did you mean {visible((folder / near[0]).as_posix())!r}?" if near else None
