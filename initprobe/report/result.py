"""The result file, ``initprobe/result/v1``: a Report as strict JSON, its schema, and the way back.

The file is the records themselves, field by field, so a field added to a record (with a default) is a field added to
the file. Within v1 changes only add: readers skip fields that they do not know.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from initprobe.errors import UsageError
from initprobe.records import Entry, Environment, Failure, Location, Report, TargetRequest
from initprobe.report.visible import visible

SCHEMA: Literal["initprobe/result/v1"] = "initprobe/result/v1"
_FAMILY = "initprobe/result/"
_TOLD = 5
"""How many problems of a broken file are told one by one."""

_WHOLE = 2.0**53
"""Up to here every whole float64 is the same number as its int."""

_ABSOLUTE = re.compile(r"(?<![\w.:/\\~-])(?:[A-Za-z]:[\\/]|/)(?:[^\s:'\"(),/\\]+[\\/])+[^\s:'\"(),/\\]+")


@dataclass(frozen=True, slots=True)
class Tool:
    """What measured; the version is null where no target could be loaded."""

    name: Literal["initprobe"] = "initprobe"
    version: str | None = None


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A result of initprobe.

    Attributes:
        schema: name and version of this format.
        tool: what measured.
        command: the command that was given.
        environment: what the numbers depend on besides the request; null when no target could be loaded.
        results: an entry per target and scheme.
    """

    schema: Literal["initprobe/result/v1"]
    tool: Tool
    command: str
    environment: Environment | None
    results: tuple[Entry, ...]


def to_result(report: Report) -> dict[str, Any]:
    """A report as plain values: finite numbers, strings, lists, and dicts in a fixed order.

    Numbers that are not finite become "inf", "-inf" and "nan"; absolute paths lose what belongs to one machine; lone
    surrogates, which strict readers refuse, become escapes.
    """
    tool = Tool(version=report.environment.initprobe if report.environment else None)
    return _fields(ResultFile(SCHEMA, tool, report.command, report.environment, report.entries))


def plain_fields(record: Any) -> dict[str, Any]:
    """A record as plain values: finite numbers, strings, lists, dicts; what is not finite is "inf", "-inf" or "nan"."""
    return _fields(record)


def load_result(text: str) -> Report:
    """The report that a result file holds.

    Raises:
        UsageError: it is no JSON, no result file, one of another version, or has values of the wrong type.
    """
    given = _parse(text)
    schema = given.get("schema") if isinstance(given, dict) else None
    if schema != SCHEMA:
        if isinstance(schema, str) and schema.startswith(_FAMILY):
            raise UsageError(f"the result file is {visible(schema)}, and this initprobe reads {SCHEMA}", hint="update")
        raise UsageError(f"not a result file: it has no schema {SCHEMA!r}", hint="`--save FILE` writes one")
    try:
        # read leniently, so that "inf" is a number where a number belongs, then hold it to what would be written
        file = TypeAdapter(ResultFile).validate_python(given)
    except ValidationError as error:
        problems = [(_path(found["loc"]), found["msg"]) for found in error.errors()]
        raise _broken(problems) from None
    report = Report(file.command, file.results, file.environment)
    wrong = _first_difference(given, to_result(report), ())
    if wrong is not None:
        raise _broken([(_path(wrong), "this value has the wrong type")])
    return report


def result_json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a result file."""
    schema = TypeAdapter(ResultFile).json_schema(schema_generator=_ResultSchema)
    return {"$schema": _ResultSchema.schema_dialect, "$id": SCHEMA} | schema | {"title": SCHEMA}


def portable_path(path: str) -> str:
    """A path that means the same on another machine: relative ones stay, of absolute ones the file's name is kept.

    Files of installed packages keep what stands behind ``site-packages``.
    """
    windows = not path.startswith("/") and PureWindowsPath(path).is_absolute()
    pure = PureWindowsPath(path) if windows else PurePosixPath(path)
    if not pure.is_absolute():
        return path
    for place, part in enumerate(pure.parts):
        if part in {"site-packages", "dist-packages"} and pure.parts[place + 1 :]:
            return "/".join(pure.parts[place + 1 :])
    return pure.name


class _ResultSchema(GenerateJsonSchema):
    """Pydantic's schema, with numbers as this file writes them and without a title on every field."""

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        del schema
        return {"anyOf": [{"type": "number"}, {"enum": ["inf", "-inf", "nan"]}]}

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, Mapping):
        return {_plain(key): _plain(value[key]) for key in sorted(value)}
    return _fields(value)


def _number(value: float) -> float | int | str:
    """A JSON number or one of our three words; whole numbers lose their ``.0``, which JSON does not distinguish."""
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return int(value) if value.is_integer() and abs(value) < _WHOLE else value


def _fields(record: Any) -> dict[str, Any]:
    record = _portable(record)
    return {field.name: _plain(getattr(record, field.name)) for field in fields(record)}


def _portable(record: Any) -> Any:
    """The record without what names one machine's directories."""
    match record:
        case Location():
            return replace(record, file=portable_path(record.file))
        case TargetRequest():
            batch_from = None if record.batch_from is None else _portable_target(record.batch_from)
            weights = None if record.weights is None else portable_path(record.weights)
            paths = tuple(map(portable_path, record.paths))
            text = _portable_target(record.text)
            return replace(record, text=text, batch_from=batch_from, paths=paths, weights=weights)
        case Failure():
            return replace(record, message=_ABSOLUTE.sub(lambda found: portable_path(found[0]), record.message))
        case Entry():
            return replace(record, name=_portable_target(record.name))
        case _:
            return record


def _portable_target(text: str) -> str:
    """A target (``FILE`` or ``FILE:ATTR``) whose file is portable."""
    drive = 2 if PureWindowsPath(text).drive.endswith(":") else 0
    end = text.find(":", drive)
    file, rest = (text, "") if end < 0 else (text[:end], text[end:])
    return portable_path(file) + rest


def _parse(text: str) -> Any:
    def refuse(constant: str) -> float:
        raise ValueError(f"{constant} is no JSON number")

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the result file is not JSON: {visible(str(error))}") from None


def _first_difference(given: Any, written: Any, path: tuple[str | int, ...]) -> tuple[str | int, ...] | None:
    """Where a file says something else than what was read from it; fields that were not read are no difference."""
    if isinstance(written, dict) and isinstance(given, dict):
        pairs = [(key, given[key], value) for key, value in written.items() if key in given]
    elif isinstance(written, list) and isinstance(given, list) and len(written) == len(given):
        pairs = [(place, *both) for place, both in enumerate(zip(given, written, strict=True))]
    else:
        same_kind = isinstance(given, bool | str) == isinstance(written, bool | str)
        return None if given == written and same_kind else path
    found = (_first_difference(left, right, (*path, key)) for key, left, right in pairs)
    return next((difference for difference in found if difference is not None), None)


def _path(parts: tuple[str | int, ...]) -> str:
    return visible(".".join(map(str, parts))) or "the file"


def _broken(problems: list[tuple[str, str]]) -> UsageError:
    lines = [f"  {path}: {visible(message)}" for path, message in problems[:_TOLD]]
    lines += [f"  and {len(problems) - _TOLD} more"] * (len(problems) > _TOLD)
    return UsageError("\n".join(["the result file is broken:", *lines]))
