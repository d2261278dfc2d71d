"""What a project says once for all of its checks: ``[tool.initprobe]`` of pyproject.toml, or initprobe.toml.

Loads no torch and runs nothing: a target that names code is only a text here.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from initprobe.errors import KeyPath, Problem, SpecError, UsageError
from initprobe.records import Location, Severity, Spec

OWN = "initprobe.toml"
SHARED = "pyproject.toml"
TABLE = ("tool", "initprobe")
VARIABLE = "INITPROBE_CONFIG"

Names = list[str]
Count = Annotated[int, Field(ge=1)]


def _different(numbers: list[int]) -> list[int]:
    if len(set(numbers)) < len(numbers):
        raise ValueError("a seed comes twice")
    return numbers


SeedCount = Annotated[int, Field(ge=1, le=10_000)]
Seeds = Annotated[list[Annotated[int, Field(ge=0, lt=2**63)]], Field(min_length=1), AfterValidator(_different)]


class ProjectTable(BaseModel):
    """Settings of a project.

    A flag wins over them, so does an environment variable, and so does what a spec says of itself.
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, alias_generator=lambda name: name.replace("_", "-"), title="initprobe"
    )

    targets: Names = Field(
        default_factory=list, description="What `initprobe check` checks: paths from here, globs too"
    )
    scheme: str | None = Field(default=None, description="What draws the weights, where a spec does not say")
    seeds: SeedCount | Seeds | None = Field(default=None, description="How many seeds, or which")
    max_seeds: SeedCount | None = Field(default=None, description="How many seeds an undecided verdict may use in all")
    batch: Count | None = Field(default=None, description="Samples per pass")
    dtype: Literal["float32", "float64", "float16", "bfloat16"] | None = Field(
        default=None, description="Floating-point type of the model"
    )
    device: str | None = Field(default=None, description="A torch device")
    mode: Literal["train", "eval", "as-is"] | None = Field(default=None, description="Mode of the modules")
    loss: Annotated[str, Field(pattern=r"^[^:]+$")] | None = Field(
        default=None, description="What the gradient is of: an objective, and no code"
    )
    statistics: Names | None = Field(default=None, description="Statistics to measure beyond the usual ones")
    select: Names | None = Field(default=None, description="Rules to run: names, codes or families")
    ignore: Names | None = Field(default=None, description="Rules to leave out")
    extend_select: Names | None = Field(default=None, description="Rules to run beside those that are selected")
    extend_ignore: Names | None = Field(default=None, description="Rules to leave out beside those that are ignored")
    fail_on: Literal["error", "warning", "info", "never"] | None = Field(
        default=None, description="The least severity that fails a check"
    )
    strict: bool | None = Field(default=None, description="Whether inconclusive and coverage findings count as errors")
    severity: dict[str, Severity] = Field(default_factory=dict, description="Other severities for rules")
    thresholds: dict[str, float | dict[str, float]] = Field(default_factory=dict, description="Other limits")
    layer_ignores: dict[str, Names] = Field(
        default_factory=dict, description="Rules to leave out for layers, by shell pattern"
    )
    baseline: str | None = Field(default=None, description="The file of findings that are known")


KEYS = tuple(name.replace("_", "-") for name in ProjectTable.model_fields)


@dataclass(frozen=True, slots=True)
class Said:
    """What one of those who may say something says, in the types of the requests.

    Attributes:
        scheme: a scheme, as typed.
        probe: fields of ``ProbeRequest`` by name.
        check: fields of ``CheckRequest`` by name, ``extend_select`` and ``extend_ignore`` too.
    """

    scheme: str | None = None
    probe: Mapping[str, Any] = field(default_factory=dict)
    check: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Project:
    """The settings of a project, with their places.

    Attributes:
        folder: where its file lies; paths are relative to it. None where there is no file.
        spec: the values as they are written, and where each key stands.
        targets: what ``check`` checks, as written.
        baseline: the file of known findings.
        said: the rest.
    """

    folder: Path | None = None
    spec: Spec = field(default_factory=lambda: Spec("", {}))
    targets: tuple[str, ...] = ()
    baseline: Path | None = None
    said: Said = field(default_factory=Said)


def find_project(start: Path, environment: Mapping[str, str]) -> Project:
    """The project's settings: the file that INITPROBE_CONFIG names, or the nearest one from a folder upwards.

    The nearest initprobe.toml or pyproject.toml with a [tool.initprobe] counts, and no other is merged into it.

    Raises:
        UsageError: the file cannot be read, or it is wrong; every problem is told with its line.
    """
    named = environment.get(VARIABLE)
    if named:
        return read_project(Path(named), start)
    for folder in (start, *start.parents):
        for name in (OWN, SHARED):
            file = folder / name
            if file.is_file() and (name == OWN or _has_table(file)):
                return read_project(file, start)
    return Project()


def read_project(file: Path, start: Path) -> Project:
    """The settings in one file.

    Args:
        file: a pyproject.toml, or a file of nothing else than these settings.
        start: the folder that paths are shown from.

    Raises:
        UsageError: see ``find_project``.
    """
    shown = (file.relative_to(start) if file.is_relative_to(start) else file).as_posix()
    text, document = _parsed(file, shown)
    prefix: KeyPath = TABLE if file.name == SHARED else ()
    values: Any = document
    for key in prefix:
        values = values.get(key, {}) if isinstance(values, dict) else {}
    spec = Spec(shown, values if isinstance(values, dict) else {}, *_places(text, shown, prefix), kind="settings")
    try:
        table = ProjectTable.model_validate(values)
    except ValidationError as error:
        problems = {problem.path: problem for problem in map(_problem, error.errors(include_url=False))}
        raise SpecError(list(problems.values()), spec=spec) from None
    baseline = None if table.baseline is None else file.parent / table.baseline
    return Project(file.parent, spec, tuple(table.targets), baseline, _said(table))


def project_json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the table."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **ProjectTable.model_json_schema(by_alias=True, schema_generator=_Untitled)}


class _Untitled(GenerateJsonSchema):
    """Pydantic's schema, without a title that repeats the key on every field, and without null, which TOML has not."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def _said(table: ProjectTable) -> Said:
    probe = {name: getattr(table, name) for name in ("max_seeds", "batch", "dtype", "device", "mode", "loss")}
    if table.seeds is not None:
        probe["seeds"] = tuple(range(table.seeds) if isinstance(table.seeds, int) else table.seeds)
    if table.statistics is not None:
        probe["statistics"] = tuple(table.statistics)
    named = {name: getattr(table, name) for name in ("select", "ignore", "extend_select", "extend_ignore")}
    check: dict[str, Any] = {name: tuple(rules) for name, rules in named.items() if rules is not None}
    check |= {name: getattr(table, name) for name in ("fail_on", "strict") if getattr(table, name) is not None}
    tables = {
        "severities": tuple(table.severity.items()),
        "thresholds": tuple(_thresholds(table.thresholds)),
        "layer_ignores": tuple((glob, tuple(rules)) for glob, rules in table.layer_ignores.items()),
    }
    check |= {name: rows for name, rows in tables.items() if rows}
    return Said(table.scheme, {name: value for name, value in probe.items() if value is not None}, check)


def _thresholds(given: Mapping[str, float | dict[str, float]]) -> Iterator[tuple[str, float]]:
    """``forward-drift = {error = 100}`` and ``"forward_drift.error" = 100`` as keys of the table of limits."""
    for key, value in given.items():
        quantity = key.replace("-", "_")
        if isinstance(value, dict):
            yield from ((f"{quantity}.{level}", limit) for level, limit in value.items())
        else:
            yield quantity, value


def _parsed(file: Path, shown: str) -> tuple[str, dict[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except FileNotFoundError:
        raise UsageError(f"there is no settings file {shown!r}", hint=f"{VARIABLE} names it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {shown!r}: {error}") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{shown} is not TOML: {error}") from None


def _has_table(file: Path) -> bool:
    """Whether a pyproject.toml has our table; one that is broken and does not look so is somebody else's business."""
    try:
        text = file.read_text(encoding="utf-8")
        return TABLE[1] in tomllib.loads(text).get(TABLE[0], {})
    except tomllib.TOMLDecodeError:
        return ".".join(TABLE) in text
    except (OSError, UnicodeDecodeError, RecursionError, TypeError):
        return False


def _problem(detail: Any) -> Problem:
    """What pydantic says, in plain words."""
    path: KeyPath = tuple(part for part in detail["loc"] if isinstance(part, int) or not part.endswith("]"))
    if detail["type"] == "extra_forbidden":
        key = str(path[-1])
        near = get_close_matches(key.replace("_", "-"), KEYS, n=1)
        return Problem(f"unknown setting {key!r}", path, f"did you mean {near[0]!r}?" if near else _known(), "key")
    path = tuple(part for part in path if part not in _BRANCHES)
    if path[:1] == ("loss",) and detail["type"] == "string_pattern_mismatch":
        return Problem("settings name no code to run", path, "--loss pkg:fn on the command line does")
    return Problem(f"{path[0] if path else 'the table'}: {detail['msg'][:1].lower()}{detail['msg'][1:]}", path)


_BRANCHES = {"int", "float", "dict", "constrained-int"}
"""What pydantic calls the members of a union, where a key path has nothing."""


def _known() -> str:
    return f"the settings are {', '.join(KEYS)}"


_HEAD = re.compile(r"\s*\[(?P<table>[^\[\]]+)\]\s*(#.*)?")
_KEY = re.compile(
    r"(?P<indent>\s*)(?P<key>(?:\"[^\"]*\"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:\"[^\"]*\"|'[^']*'|[\w-]+))*)\s*="
)


def _places(text: str, file: str, prefix: KeyPath) -> tuple[dict[KeyPath, Location], dict[KeyPath, Location]]:
    """Where keys and values stand, by the text of their lines: tomllib does not tell."""
    values: dict[KeyPath, Location] = {}
    keys: dict[KeyPath, Location] = {}
    table: KeyPath = ()
    for number, line in enumerate(text.splitlines(), 1):
        head, found = _HEAD.fullmatch(line), _KEY.match(line)
        if head:
            table = _path(head["table"])
            start, end = line.index("[") + 1, line.rindex("]") + 2
            where = Location(file, number, start, end, line)
        elif found:
            start = len(found["indent"]) + 1
            where = Location(file, number, start, start + len(found["key"]), line)
        path = (*table, *(_path(found["key"]) if found and not head else ()))
        if (head or found) and path[: len(prefix)] == prefix:
            keys[path[len(prefix) :]] = values[path[len(prefix) :]] = where
    return values, keys


def _path(dotted: str) -> KeyPath:
    """``tool.initprobe`` as a key path; quoted parts may hold dots."""
    try:
        table: Any = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:
        return ()
    path: list[str] = []
    while isinstance(table, dict):
        ((key, table),) = table.items()
        path.append(key)
    return tuple(path)
