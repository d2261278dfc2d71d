"""The settings in force, and who said each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from initprobe.project import KEYS, VARIABLE, Project
from initprobe.records import CheckRequest, ProbeRequest
from initprobe.settings import VARIABLES, environment_says

FIELDS = {"severity": "severities"}
"""Settings that are called otherwise in a request."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        key: as a file has it.
        value: as a file would write it; None for what is left to the target, the memory or the spec.
        origin: ``default``, ``pyproject.toml:12``, or the name of an environment variable.
    """

    key: str
    value: Any
    origin: str


def effective(project: Project, environment: Mapping[str, str]) -> tuple[Setting, ...]:
    """Every setting, in the order of the table; flags and specs, which win over them, are not known here."""
    return tuple(_settings(project, environment))


def _settings(project: Project, environment: Mapping[str, str]) -> Iterator[Setting]:
    said = environment_says(environment)
    spoken = {**said.probe, **said.check}
    variables = {variable.name: name for name, variable in VARIABLES.items()}
    requests = (ProbeRequest(), CheckRequest())
    defaults = {one.name: getattr(request, one.name) for request in requests for one in fields(request)}
    for key in KEYS:
        name = FIELDS.get(key, key.replace("-", "_"))
        if name in spoken:
            yield Setting(key, _written(spoken[name]), variables[name])
        elif key in project.spec.values:
            place = project.spec.locate((key,))
            yield Setting(key, project.spec.values[key], f"{place.file}:{place.line}")
        else:
            yield Setting(key, _written(defaults.get(name)), "default")
    if environment.get(VARIABLE):
        yield Setting("config", project.spec.file, VARIABLE)


def _written(value: Any) -> Any:
    """Tuples as the lists and tables of a file; the default seeds as their number."""
    if value == ProbeRequest().seeds:
        return len(value)
    return list(value) if isinstance(value, tuple) else value
