"""Where the command runs: formats that name files to a machine need to know."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from initprobe.checkout import checkout_around
from initprobe.report.options import RenderOptions

_ANCHORS = ("pyproject.toml", "setup.py", "setup.cfg", "README.md", "README.rst", "README")
"""Files of a project at which a finding may stand when no line of the project built the network."""


def in_checkout(options: RenderOptions) -> RenderOptions:
    """The options, with the checkout, the working directory's place in it, and a file that is there."""
    here = Path.cwd().resolve()
    root = checkout_around(here)
    above = [folder for folder in here.parents if root is not None and folder.is_relative_to(root)]
    files = (folder / name for folder in (here, *above) for name in _ANCHORS)
    anchor = next((Path(os.path.relpath(file, here)).as_posix() for file in files if file.is_file()), "")
    if root is None:
        return replace(options, anchor=anchor)
    folder = here.relative_to(root).as_posix()
    return replace(options, folder="" if folder == "." else folder, root=root.as_posix(), anchor=anchor)
