"""A spec to start from: a preset with its comments, in the user's own place and under a name of its own."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from initprobe.load.json_schema import spec_json_schema
from initprobe.load.presets import MODELINE, SCHEMA_FILE, preset_file
from initprobe.load.schema import read_spec
from initprobe.records import Spec

TITLE = "initprobe spec"
"""What the title of our schemas begins with."""


@dataclass(frozen=True, slots=True)
class Start:
    """What becomes of a preset.

    Attributes:
        text: the spec.
        notes: what one has to know of it.
        commands: what to type next.
    """

    text: str
    notes: tuple[str, ...]
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SchemaPlace:
    """Where the schema lies that an editor reads.

    Attributes:
        file: its file.
        reference: how the spec names it.
        text: what to write there; None where it is up to date.
    """

    file: Path
    reference: str
    text: str | None


def started(preset: str, output: Path | None, schema: str) -> Start:
    """The preset as a spec of its own.

    Args:
        preset: its name.
        output: where it will lie; None where nobody knows.
        schema: how it names its schema.

    Raises:
        UsageError: there is no such preset; the message has close matches and the list.
    """
    file = preset_file(preset.removeprefix("preset:"))
    source = file.read_text(encoding="utf-8")
    spec = read_spec(file)
    notes = []
    changed: dict[tuple[str, ...], str] = {}
    if output is not None:
        changed["name",] = _quoted(output.stem[:80])
    data = spec.values["model"].get("input", {}).get("from")
    if data is not None and (file.parent / data).is_file():
        changed["model", "input", "from"] = _quoted((file.parent / data).as_posix())
        notes.append(f"its data stay where they are: {file.parent / data}")
    lines = _replaced(source.splitlines(), spec, changed)
    called = shlex.quote(str(output)) if output is not None else f"{file.stem}.yaml"
    text = "\n".join(lines).replace(f"configs/{file.name}", called)
    text = re.sub(r"(?m)^# expect.*\n", "", text)
    text = re.sub(r"(?m)^extends: (?!preset:)(\S+)\.ya?ml\b", r"extends: preset:\1", text)
    body = "\n".join(line for line in text.splitlines() if "yaml-language-server" not in line)
    commands = [f"initprobe validate {called}", f"initprobe run {called}"]
    commands += [f"initprobe compare {called}"] * ("compare" in spec.values)
    commands += [f"initprobe sweep {called}"] * ("sweep" in spec.values)
    return Start(f"{MODELINE.format(schema=schema)}\n{_tidied(body)}\n", tuple(notes), tuple(commands))


def schema_for(output: Path) -> SchemaPlace:
    """The schema of the project that a spec will lie in: beside it or one folder up; else a new one beside it.

    It is written from the grammar of this installation, with the blocks of its plug-ins, and needs no network. What
    lies there and is none of ours is left alone.
    """
    text = json.dumps(spec_json_schema(), indent=2) + "\n"
    for prefix in (".", ".."):
        file = output.parent / prefix / SCHEMA_FILE
        if _is_ours(file):
            current = file.read_text(encoding="utf-8") == text
            return SchemaPlace(file, f"{prefix}/{SCHEMA_FILE}", None if current else text)
    file = output.parent / SCHEMA_FILE
    return SchemaPlace(file, f"./{SCHEMA_FILE}", None if file.exists() else text)


def _is_ours(file: Path) -> bool:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and str(found.get("title", "")).startswith(TITLE)


def _replaced(lines: list[str], spec: Spec, changed: Mapping[tuple[str, ...], str]) -> list[str]:
    """The lines with other values at some key paths, from the last place to the first."""
    places = sorted(((spec.value_at[path], text) for path, text in changed.items()), key=lambda one: -one[0].line)
    for place, text in places:
        if place.end_column is not None and place.file == spec.file:
            line = lines[place.line - 1]
            lines[place.line - 1] = line[: place.column - 1] + text + line[place.end_column - 1 :]
    return lines


def _quoted(text: str) -> str:
    """The text as a YAML scalar."""
    return text if re.fullmatch(r"[A-Za-z][\w-]*", text) and text.lower() not in _WORDS else json.dumps(text)


def _tidied(text: str) -> str:
    """No empty comment lines where something was taken out at the end of the comment."""
    return re.sub(r"(?m)(^#\n)+(?=[^#])", "", text).strip("\n")


_WORDS = {"true", "false", "null"}
