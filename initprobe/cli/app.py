"""The application: which commands there are, and in which panel of the help they stand."""

from __future__ import annotations

from typing import Annotated

import typer

from initprobe import __version__
from initprobe.cli import diagnose, reference, spec

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


app.command("run", rich_help_panel="Diagnose")(diagnose.run)
app.command("check", rich_help_panel="Diagnose")(diagnose.check)
app.command("compare", rich_help_panel="Diagnose")(diagnose.compare)
app.command("explain", rich_help_panel="Reference")(reference.explain)
app.command("ls", rich_help_panel="Reference")(reference.ls)
app.command("validate", rich_help_panel="Spec")(spec.validate)
app.command("schema", rich_help_panel="Spec")(spec.schema)
app.command("env", rich_help_panel="Spec")(reference.env)
