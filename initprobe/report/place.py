"""Where a finding stands, for readers that accept nothing without a file and a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import PurePosixPath, PureWindowsPath
from posixpath import normpath

from initprobe.records import Entry, Finding, Location
from initprobe.report.options import RenderOptions

_FILE = re.compile(r"(?P<file>.*?\.(?:ya?ml|py))(?::.*)?", re.DOTALL)
"""A target that begins with a file of text: ``net.yaml``, ``net.py:build(depth=50)``."""

NEAREST = "place: the nearest line that is known"
"""What is said beside a place that is approximate."""


def place_of(entry: Entry, finding: Finding | None, options: RenderOptions) -> Location | None:
    """The place of a finding, or of the whole entry: a file that is there, named from the repository's root.

    The finding's own; else the line of the first layer that it names; else the file of the target; else the first place
    that the entry knows; else the anchor of the options. All but the first are approximate. None where there is none.
    """
    own = [finding.location] if finding is not None and finding.location is not None else []
    others = (replace(place, approximate=True) for place in _others(entry, finding, options))
    found = next((place for place in chain(own, others) if is_file(place.file)), None)
    return replace(found, file=_from_root(found.file, options)) if found is not None else None


def is_file(name: str) -> bool:
    """Whether that is the name of a file, and not of standard input or of something typed (``<string>``)."""
    return name not in {"", "-"} and not (name.startswith("<") and name.endswith(">"))


def _others(entry: Entry, finding: Finding | None, options: RenderOptions) -> Iterator[Location]:
    named = {*finding.sites, *finding.parameters} if finding is not None else set()
    sites = [summary.site for summary in entry.sites]
    weights = [summary.weight for summary in entry.weights]
    yield from (site.location for site in sites if site.location is not None and site.key in named)
    yield from (weight.location for weight in weights if weight.location is not None and weight.name in named)
    typed = _FILE.fullmatch(entry.request.target.text)
    if typed is not None:
        yield Location(typed["file"], 1)
    yield from (site.location for site in sites if site.location is not None)
    yield from (weight.location for weight in weights if weight.location is not None)
    if options.anchor:
        yield Location(options.anchor, 1)


def _from_root(file: str, options: RenderOptions) -> str:
    """A file as the repository's root sees it; one that lies outside of it, or where no root is known, as it is."""
    path, root = PurePosixPath(file), PurePosixPath(options.root)
    if path.is_absolute() or PureWindowsPath(file).is_absolute():
        return path.relative_to(root).as_posix() if options.root and path.is_relative_to(root) else file
    inside = normpath(PurePosixPath(options.folder) / path)
    if not inside.startswith("../"):
        return inside
    return normpath(root / inside) if options.root else file
