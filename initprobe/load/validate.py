"""Checks a spec and every shape in it; no code is run, nothing is allocated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from initprobe.errors import UsageError
from initprobe.load.grammar import NamedModel
from initprobe.load.presets import preset_file
from initprobe.load.reading import STDIN
from initprobe.load.schema import Sections, checked, read_spec, sections
from initprobe.load.sources.base import Target
from initprobe.load.sources.yaml import LayeredTarget, is_spec, open_spec
from initprobe.records import TargetRequest

PRESET = "preset:"


@dataclass(frozen=True, slots=True)
class Valid:
    """A spec that is right.

    Attributes:
        sections: what it says.
        summary: one line about it: its size, and what goes in and out.
    """

    sections: Sections
    summary: str


def validate_spec(path: str, sets: Iterable[tuple[str, str]] = ()) -> Valid:
    """Read a spec, check it against the grammar, and put its layers together on the meta device.

    Args:
        path: a file, ``-`` for standard input, or ``preset:NAME``.
        sets: ``--set`` assignments: dotted key and text of a YAML value.

    Raises:
        UsageError: there is no such file, or it is no spec.
        SpecError: it is wrong; every problem is told.
    """
    file = str(preset_file(path.removeprefix(PRESET))) if path.startswith(PRESET) else path
    if not is_spec(file):
        raise UsageError(f"{path!r} is no spec", hint="a spec is a file that ends in .yaml, or - for standard input")
    sets = tuple(sets)
    spec = read_spec(file, sets=sets)
    model = checked(spec).model
    if isinstance(model, NamedModel):
        told = f"{path}: valid; its model is {model.target}, which only a probe with --allow-code builds"
        return Valid(sections(spec), told)
    folder = Path() if file == STDIN else Path(file).parent
    target = open_spec(spec, folder, TargetRequest(file, sets), _no_other)
    assert isinstance(target, LayeredTarget)
    plan = target.plan
    told = (
        f"{path}: valid; {plan.parameters:,} parameters in {plan.modules:,} modules, "
        f"{plan.input.shape} -> {plan.output.shape}"
    )
    return Valid(target.sections, told)


def _no_other(request: TargetRequest) -> Target:
    raise UsageError(f"validating builds nothing that a spec names: {request.text}")
