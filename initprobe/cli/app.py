"""The application: which commands there are, and in which panel of the help they stand."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Annotated, Any

import typer

from initprobe import __version__
from initprobe.cli import diagnose, project, reference, saved, search, spec, suggest, theory

app = typer.Typer(
    name="initprobe",
    help="Will signals survive this network? Measure what initialization does to activations and gradients.",
    epilog="Start with:  initprobe compare he xavier --depth 50",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"initprobe {__version__}")
        raise typer.Exit


@app.callback()
def initprobe(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Will signals survive this network? Measure what initialization does to activations and gradients."""


def _ending(command: Callable[..., int]) -> Callable[..., None]:
    """The command, ending with the exit code that it answers with."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        raise typer.Exit(command(*args, **kwargs))

    return run


for name, command, panel in (
    ("run", diagnose.run, "Diagnose"),
    ("check", diagnose.check, "Diagnose"),
    ("compare", diagnose.compare, "Diagnose"),
    ("diff", saved.diff, "Diagnose"),
    ("report", saved.report, "Diagnose"),
    ("suggest", suggest.suggest, "Diagnose"),
    ("theory", theory.theory, "Explore"),
    ("sweep", search.sweep, "Explore"),
    ("explain", reference.explain, "Reference"),
    ("ls", reference.ls, "Reference"),
    ("new", spec.new, "Spec"),
    ("validate", spec.validate, "Spec"),
    ("schema", spec.schema, "Spec"),
    ("config", project.config, "Spec"),
    ("env", reference.env, "Spec"),
):
    app.command(name, rich_help_panel=panel)(_ending(command))
