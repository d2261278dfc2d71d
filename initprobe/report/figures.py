"""The verb of the room for pictures: every plot of a Report becomes files."""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from initprobe.errors import UsageError
from initprobe.records import Entry, Report
from initprobe.report.plots.base import PLOTS
from initprobe.report.style import house_style
from initprobe.report.write import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WITHOUT_TIME: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
}
"""Metadata that would make two equal pictures differ."""


def save_plots(report: Report, directory: Path | str, *, formats: Sequence[str] = ("png", "svg")) -> tuple[Path, ...]:
    """Write every figure that the report has data for, and answer with the files.

    A comparison is overlaid in one figure per plot; otherwise each entry has its own. Equal reports give equal bytes.

    Raises:
        UsageError: an unknown picture format, or a place that cannot be written.
    """
    unknown = sorted(set(formats) - set(_WITHOUT_TIME))
    if unknown:
        raise UsageError(f"unknown picture format {unknown[0]!r}", hint=f"use one of {', '.join(_WITHOUT_TIME)}")
    folder = directory_for(directory)
    written = []
    for suffix, entries in _sheets(report):
        for name in PLOTS:
            figure = PLOTS[name].draw(entries)
            if figure is None:
                continue
            for extension in formats:
                place = folder / f"{_slug(name)}{suffix}.{extension}"
                write_bytes(place, picture(figure, extension))
                written.append(place)
    return tuple(written)


def save_figure(
    figure: Figure, directory: Path | str, name: str, *, formats: Sequence[str] = ("png", "svg")
) -> tuple[Path, ...]:
    """Write one figure under a name that files can have, and answer with the files; raises like ``save_plots``."""
    folder = directory_for(directory)
    places = tuple(folder / f"{_slug(name)}.{extension}" for extension in formats)
    for place, extension in zip(places, formats, strict=True):
        write_bytes(place, picture(figure, extension))
    return places


def picture(figure: Figure, extension: str) -> bytes:
    """A figure as the bytes of a file, without a clock in them."""
    out = io.BytesIO()
    with house_style():
        figure.savefig(out, format=extension, metadata=_WITHOUT_TIME[extension])
    return out.getvalue()


def _sheets(report: Report) -> list[tuple[str, Sequence[Entry]]]:
    """What is drawn together, with what tells its files from the others'."""
    if report.side_by_side or len(report.entries) == 1:
        return [("", report.entries)]
    names = [f"-{_slug(f'{entry.name} {entry.scheme}')}" for entry in report.entries]
    numbered = [
        f"{name}-{names[:place].count(name) + 1}" * (names.count(name) > 1) or name for place, name in enumerate(names)
    ]
    return [(name, (entry,)) for name, entry in zip(numbered, report.entries, strict=True)]


def _slug(text: str) -> str:
    """A file name that nothing can hide in; a hash keeps names apart that read alike."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60]
    if plain == text:
        return plain
    return f"{plain}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}".strip("-")


def directory_for(place: Path | str) -> Path:
    """The directory of that name, made where it is not there.

    Raises:
        UsageError: it cannot be made, or nothing can be written into it.
    """
    folder = Path(place)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot make the directory {str(folder)!r}: {error.strerror}", hint="choose another"
        ) from error
    if not os.access(folder, os.W_OK):
        raise UsageError(f"nothing can be written into {str(folder)!r}", hint="choose another")
    return folder
