"""``new``, ``validate`` and ``schema``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from initprobe.cli import options as o
from initprobe.cli.diagnose import requests_of
from initprobe.cli.output import WORST_FIRST, say, tell
from initprobe.errors import ExitCode, InitprobeError, UsageError
from initprobe.load.presets import SCHEMA_FILE
from initprobe.report.write import check_writable, make_folder, write_text


def new(
    preset: Annotated[str, typer.Argument(metavar="[PRESET]", help="What to start from.")] = "deep-mlp",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it; else standard output.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over what is there.")] = False,
) -> int:
    """Write a commented spec to start from, and beside it the schema with which an editor completes it.

    Example:  initprobe new residual-mlp -o net.yaml
    """
    from initprobe.load.start import schema_for, started

    if output is None:
        say(started(preset, None, f"./{SCHEMA_FILE}").text)
        tell(f"# an editor completes and checks it with: initprobe schema spec > {SCHEMA_FILE}")
        return 0
    if output.suffix not in (".yaml", ".yml"):
        where = "without -o, the spec goes to standard output" if str(output) == "-" else f"{output.stem or 'net'}.yaml"
        raise UsageError(f"{str(output)!r} is no name of a spec", hint=where)
    if output.exists() and not force:
        raise UsageError(f"{str(output)!r} is there already", hint="--force writes over it")
    check_writable(output)
    place = schema_for(output)
    start = started(preset, output, place.reference)
    if place.text is not None:
        make_folder(place.file.parent)
        write_text(place.file, place.text)
    write_text(output, start.text)
    tell(f"wrote {output}" + (f" and {place.file}" if place.text is not None else ""))
    for note in start.notes:
        tell(f"note: {note}")
    tell("next: " + "  |  ".join(start.commands))
    return 0


def validate(
    specs: Annotated[list[str], typer.Argument(metavar="SPEC", help="Spec files, directories of them, or -.")],
    sets: o.Sets = [],
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Print the spec as it will be used: extends, variables, defaults.")
    ] = False,
) -> int:
    """Check specs and all their shapes; nothing is allocated and no code is run.

    --resolved prints a YAML document for each, from the second on behind a line of ---.

    Example:  initprobe validate configs
    """
    from initprobe.init.schemes.base import SCHEMES
    from initprobe.load.resolve import resolved_text
    from initprobe.load.target import expand_targets
    from initprobe.load.validate import validate_spec
    from initprobe.settings import validate_schemes

    assignments = requests_of([""], sets)[0].sets
    codes = set()
    separator = ""
    for text in expand_targets(specs):
        try:
            valid = validate_spec(text, assignments)
            validate_schemes(valid.sections)
            if resolved:
                say(separator + resolved_text(valid.sections, SCHEMES.canonical))
                separator = "---\n"
            else:
                say(valid.summary + "\n")
        except InitprobeError as error:
            tell(error.render())
            codes.add(error.exit_code)
    return next((code for code in WORST_FIRST if code in codes), ExitCode.OK)


def schema(
    of: Annotated[
        Literal["spec", "config", "result"], typer.Argument(metavar="spec|config|result", help="Which schema.")
    ],
) -> int:
    """Print a JSON Schema."""
    if of == "spec":
        from initprobe.load.json_schema import spec_json_schema

        say(json.dumps(spec_json_schema(), indent=2) + "\n")
    elif of == "config":
        from initprobe.project import project_json_schema

        say(json.dumps(project_json_schema(), indent=2) + "\n")
    else:
        from initprobe.report.result import result_json_schema

        say(json.dumps(result_json_schema(), indent=2) + "\n")
    return 0
