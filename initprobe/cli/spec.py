"""``validate`` and ``schema``."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

from initprobe.cli import options as o
from initprobe.cli.diagnose import requests_of
from initprobe.cli.output import WORST_FIRST, say, tell
from initprobe.errors import ExitCode, InitprobeError


def validate(
    specs: Annotated[list[str], typer.Argument(metavar="SPEC", help="Spec files, directories of them, or -.")],
    sets: o.Sets = [],
    resolved: Annotated[bool, typer.Option("--resolved", help="Print the spec with its variables filled in.")] = False,
) -> int:
    """Check specs and all their shapes; nothing is allocated and no code is run.

    Example:  initprobe validate configs
    """
    from initprobe.load.target import expand_targets
    from initprobe.load.validate import resolved_text, validate_spec

    assignments = requests_of([""], sets)[0].sets
    codes = set()
    for text in expand_targets(specs):
        try:
            summary = validate_spec(text, assignments)
            say(resolved_text(text, assignments) if resolved else summary + "\n")
        except InitprobeError as error:
            tell(error.render())
            codes.add(error.exit_code)
    return next((code for code in WORST_FIRST if code in codes), ExitCode.OK)


def schema(
    of: Annotated[Literal["spec", "result"], typer.Argument(metavar="spec|result", help="Which schema.")],
) -> int:
    """Print a JSON Schema."""
    if of == "spec":
        from initprobe.load.json_schema import spec_json_schema

        say(json.dumps(spec_json_schema(), indent=2) + "\n")
    else:
        from initprobe.report.result import result_json_schema

        say(json.dumps(result_json_schema(), indent=2) + "\n")
    return 0
