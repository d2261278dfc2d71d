"""Where the command runs: formats that name files to a machine need to know."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from initprobe.report.options import RenderOptions

_ROOTS = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")
"""What GitHub and GitLab call the checkout; they read the paths of a report from there."""

_ANCHORS = ("pyproject.toml", "setup.py", "setup.cfg", "README.md", "README.rst", "README")
"""Files of a project at which a finding may stand when no line of the project built the network."""


def in_checkout(options: RenderOptions) -> RenderOptions:
    """The options, with the working directory's place in the checkout and a file that is there."""
    here = Path.cwd()
    anchor = next((name for name in _ANCHORS if (here / name).is_file()), "")
    return replace(options, folder=_folder(here), anchor=anchor)


def _folder(here: Path) -> str:
    roots = [Path(os.environ[name]).resolve() for name in _ROOTS if os.environ.get(name)]
    inside = next((root for root in roots if here.resolve().is_relative_to(root)), None)
    folder = here.resolve().relative_to(inside).as_posix() if inside is not None else "."
    return "" if folder == "." else folder
