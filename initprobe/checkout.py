"""Where the repository begins in which somebody works. Runs nothing."""

from __future__ import annotations

import os
from pathlib import Path

ROOTS = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")
"""What GitHub and GitLab call the checkout; they read the paths of a report from there."""


def checkout_around(folder: Path) -> Path | None:
    """The checkout that a folder lies in: what the CI says, else the nearest one of git's; None where there is none.

    Args:
        folder: without symbolic links.
    """
    said = (Path(os.environ[name]).resolve() for name in ROOTS if os.environ.get(name))
    around = (folder, *folder.parents)
    # in a worktree and in a submodule, .git is a file
    git = (each for each in around if (each / ".git").exists())
    return next((root for root in said if root in around), None) or next(git, None)
