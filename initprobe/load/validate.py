"""Checks a spec without building it: the grammar, every shape, every limit; no code is run, nothing is allocated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from initprobe.errors import UsageError
from initprobe.load.grammar import NamedModel
from initprobe.load.schema import checked, read_spec
from initprobe.load.sources.yaml import LayeredTarget, is_spec, open_yaml
from initprobe.records import TargetRequest


def validate_spec(path: str, sets: Iterable[tuple[str, str]] = ()) -> str:
    """One line about a spec that is right: its size, and what goes in and out.

    Raises:
        UsageError: there is no such file, or it is no spec.
        SpecError: it is wrong; every problem is told.
    """
    if not is_spec(path):
        raise UsageError(f"{path!r} is no spec", hint="a spec is a file that ends in .yaml, or - for standard input")
    sets = tuple(sets)
    model = checked(read_spec(path, sets=sets)).model if path != "-" else None
    if isinstance(model, NamedModel):
        return f"{path}: valid; its model is {model.target}, which only a probe with --allow-code builds"
    target = open_yaml(path, TargetRequest(path, sets), _no_other)
    if not isinstance(target, LayeredTarget):
        return f"{path}: valid"
    plan = target.plan
    return (
        f"{path}: valid; {plan.parameters:,} parameters in {plan.modules:,} modules, "
        f"{plan.input.shape} -> {plan.output.shape}"
    )


def resolved_text(path: str, sets: Iterable[tuple[str, str]] = ()) -> str:
    """The spec with its variables filled in and ``--set`` applied, as YAML.

    Raises:
        UsageError: there is no such file.
        SpecError: it is wrong.
    """
    spec = read_spec(path, sets=tuple(sets))
    checked(spec)
    values: Mapping[str, Any] = {key: value for key, value in spec.values.items() if key != "vars"}
    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)).rstrip("\n")


def _no_other(request: TargetRequest) -> LayeredTarget:
    raise UsageError(f"validating builds nothing that a spec names: {request.text}")
