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
    """The options, with the checkout, the working directory's place in it, and a file that is there."""
    here = Path.cwd()
    anchor = next((name for name in _ANCHORS if (here / name).is_file()), "")
    root = _root(here.resolve())
    if root is None:
        return replace(options, anchor=anchor)
    folder = here.resolve().relative_to(root).as_posix()
    return replace(options, folder="" if folder == "." else folder, root=root.as_posix(), anchor=anchor)


def _root(here: Path) -> Path | None:
    """The checkout around a folder: what the CI says, else the nearest one of git's; None where there is none."""
    said = [Path(os.environ[name]).resolve() for name in _ROOTS if os.environ.get(name)]
    # in a worktree and in a submodule, .git is a file
    git = (folder for folder in (here, *here.parents) if (folder / ".git").exists())
    return next((root for root in said if here.is_relative_to(root)), None) or next(git, None)
