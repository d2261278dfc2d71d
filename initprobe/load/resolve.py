"""A spec as it will be used, written out as YAML that reads back as the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml
from pydantic import BaseModel

from initprobe.load.blocks.base import BLOCKS, Layer
from initprobe.load.grammar import NamedModel, SpecSchema
from initprobe.load.presets import MODELINE, SCHEMA_FILE
from initprobe.load.scalars import resolve
from initprobe.load.schema import Sections, checked


def resolved_text(found: Sections, canonical: Callable[[str], str] = str) -> str:
    """The spec with everything in it that decides: what it extends, variables and assignments, and the defaults.

    The files that it names lie where they lay: beside the spec.

    Args:
        found: what the spec says.
        canonical: the name behind an alias of a scheme.
    """
    schema = checked(found.spec)
    values: dict[str, Any] = {"version": 1, "name": found.name}
    for key, value in found.spec.values.items():
        if key not in {"vars", "sweep", *values}:
            values[key] = value
    values["model"] = _plain(values["model"], schema.model)
    if "init" in values:
        values["init"] = _schemes(values["init"], canonical)
    values["probe"], values["check"] = _filled(schema)
    if schema.compare is not None:
        values["compare"] = [_scheme(one, canonical) for one in values["compare"]]
    axes = {key: list(one) for key, one in found.sweep.items() if not key.startswith("vars.")}
    if axes:  # over variables there is nothing left to sweep: they are filled in
        values["sweep"] = axes
    text = yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
    return f"{MODELINE.format(schema=f'./{SCHEMA_FILE}')}\n{text}"


def _filled(schema: SpecSchema) -> tuple[dict[str, Any], dict[str, Any]]:
    """How it is measured and judged, with the defaults; a target that is named may have a loss of its own."""
    probe = schema.probe.model_dump(exclude_none=True, by_alias=True)
    if isinstance(schema.model, NamedModel) and "loss" not in schema.probe.model_fields_set:
        del probe["loss"]
    return probe, schema.check.model_dump(exclude_none=True, by_alias=True)


def _plain(value: Any, parsed: Any) -> Any:
    """The value with the types of layers by their first names; the grammar says which text is one."""
    if isinstance(parsed, Layer) and isinstance(value, str):
        return BLOCKS.canonical(value)
    if isinstance(parsed, BaseModel) and isinstance(value, dict):
        names = {field.alias or name: name for name, field in type(parsed).model_fields.items()}
        plain = {key: _plain(one, getattr(parsed, names[key], None)) for key, one in value.items() if key in names}
        rest = {key: one for key, one in value.items() if key not in names}
        return {**plain, **rest, **({"type": BLOCKS.canonical(value["type"])} if isinstance(parsed, Layer) else {})}
    if isinstance(parsed, list | tuple) and isinstance(value, list):
        return [_plain(one, inner) for one, inner in zip(value, parsed, strict=True)]
    if isinstance(parsed, dict) and isinstance(value, dict):
        return {key: _plain(one, parsed.get(key)) for key, one in value.items()}
    return value


def _schemes(init: dict[str, Any], canonical: Callable[[str], str]) -> dict[str, Any]:
    named = dict(init)
    if init.get("default") is not None:
        named["default"] = _scheme(init["default"], canonical)
    if "overrides" in init:
        named["overrides"] = [{**one, "scheme": _scheme(one["scheme"], canonical)} for one in init["overrides"]]
    return named


def _scheme(scheme: Any, canonical: Callable[[str], str]) -> Any:
    if isinstance(scheme, str):
        return canonical(scheme)
    return {**scheme, "scheme": canonical(scheme["scheme"])}


class _Dumper(yaml.SafeDumper):
    """Writes YAML 1.2 as specs have it: no anchors, and quotes around text that would be read as something else."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class calls it
        """Everything is written out."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if _reads_as_text(text) else '"')


def _reads_as_text(text: str) -> bool:
    try:
        return resolve(text) == text
    except ValueError:
        return False


_Dumper.add_representer(str, _text)
