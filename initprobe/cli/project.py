"""What a project's settings do to the command line, and ``config``, which shows them."""

from __future__ import annotations

import json as json_library
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from initprobe.cli.columns import listed
from initprobe.cli.output import columns, say
from initprobe.errors import CodeNotAllowedError, UsageError
from initprobe.records import TargetRequest

if TYPE_CHECKING:
    from initprobe.project import Project

WILD = "*?["


def config(
    show: Annotated[
        bool, typer.Option("--show", help="Show every setting and where it comes from (the default).")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> int:
    """The settings in force, and who said each: an environment variable, the project's file, or nobody.

    A flag wins over all of them, and a spec over the project's file.

    Example:  initprobe config --show
    """
    from initprobe.effective import effective

    del show  # there is nothing else to do with them
    rows = [
        {"key": one.key, "value": one.value, "origin": one.origin}
        for one in effective(project_here(), dict(os.environ))
    ]
    if json:
        say(json_library.dumps(rows, indent=2) + "\n")
        return 0
    shown = [{**row, "value": "-" if row["value"] is None else json_library.dumps(row["value"])} for row in rows]
    say(listed(shown, columns(sys.stdout)))
    return 0


def project_here() -> Project:
    """The settings of the project that the working directory belongs to, all names in them known.

    Raises:
        UsageError: they are wrong.
    """
    from initprobe.project import find_project
    from initprobe.settings import check_project

    return check_project(find_project(Path.cwd(), os.environ))


def of_project(project: Project, request: TargetRequest) -> tuple[TargetRequest, ...]:
    """One request for each target of the project, with the options of the command line.

    Raises:
        UsageError: it names none, a pattern fits nothing, or one names code that the command line does not allow.
    """
    if not project.targets or project.folder is None:
        where = f"{project.spec.file} lists none" if project.folder is not None else "there is no project file with any"
        raise UsageError(f"no target: {where}", hint='name one, or write targets = ["net.yaml"] in [tool.initprobe]')
    texts = [found for place in range(len(project.targets)) for found in _found(project, place)]
    _check_code(project, texts, request)
    paths = request.paths if project.folder == Path.cwd() else (*request.paths, str(project.folder))
    return tuple(replace(request, text=text, paths=paths) for text in texts)


def _found(project: Project, place: int) -> Sequence[str]:
    """The targets that an entry of the list names, as they would be typed here."""
    assert project.folder is not None
    text = project.targets[place]
    file, colon, rest = text.partition(":")
    if any(mark in file for mark in WILD):
        if Path(file).is_absolute():
            raise UsageError(f"{_where(project)}: a pattern is relative to the project, not {text!r}")
        found = sorted(path for path in project.folder.glob(file) if path.is_file())
        if not found:
            raise UsageError(f"{_where(project)}: no file fits {text!r}")
        return [_from_here(path) + colon + rest for path in found]
    is_path = file.endswith(".py") if colon else True
    return [_from_here(project.folder / file) + colon + rest if is_path else text]


def _where(project: Project) -> str:
    """The file and the line of its targets."""
    place = project.spec.locate(("targets",))
    return f"{place.file}:{place.line}"


def _from_here(path: Path) -> str:
    return Path(os.path.relpath(path)).as_posix()


def _check_code(project: Project, texts: Sequence[str], request: TargetRequest) -> None:
    """Code runs only when the command line says so."""
    if request.allow_code:
        return
    from initprobe.load.target import runs_code

    named = next((text for text in texts if runs_code(text)), None)
    if named is not None:
        raise CodeNotAllowedError(
            f"{_where(project)} names code to run: {named!r}", hint="add --allow-code if you trust it"
        )
