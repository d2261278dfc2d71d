"""The specs that ship with initprobe: in ``configs/`` of a checkout, inside of the package once it is installed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from initprobe.errors import UsageError

MODELINE = "# yaml-language-server: $schema={schema}"
"""What tells an editor which schema a file keeps to."""

SCHEMA_FILE = "schema/spec.v1.json"
"""Where that schema lies beside the specs of a project."""

_PLACES = (Path(__file__).parents[1] / "configs", Path(__file__).parents[2] / "configs")


@dataclass(frozen=True, slots=True)
class Preset:
    """A spec that ships.

    Attributes:
        file: where it lies; its data files stand beside it.
        comment: what it is and what to look at, the comment at its top without its marks.
        spec: the text below.
    """

    file: Path
    comment: str
    spec: str

    @property
    def summary(self) -> str:
        """The first sentence of the comment."""
        return re.split(r"(?<=[.])\s", " ".join(self.comment.split()), maxsplit=1)[0]


def preset_files() -> Mapping[str, Path]:
    """The name of every preset, in order, and its file."""
    folder = next((place for place in _PLACES if place.is_dir()), None)
    return {} if folder is None else {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def preset_file(name: str) -> Path:
    """The file of a preset.

    Raises:
        UsageError: there is none; the message has close matches.
    """
    files, name = preset_files(), name.strip()
    if name not in files:
        near = get_close_matches(name.partition("(")[0], files, n=1)
        if near and "(" in name:
            raise UsageError(f"the preset {near[0]!r} takes no arguments", hint="--set vars.depth=20 changes a spec")
        told = "`initprobe ls presets` lists those that there are"
        hint = f"did you mean preset:{near[0]}? {told}" if near else told
        raise UsageError(f"there is no preset {name!r}", hint=hint)
    return files[name]


def read_presets() -> Mapping[str, Preset]:
    """Every preset by its name, in order."""
    return {name: _read(file) for name, file in preset_files().items()}


def _read(file: Path) -> Preset:
    lines = file.read_text(encoding="utf-8").splitlines()
    end = next((at for at, line in enumerate(lines) if not line.startswith("#")), len(lines))
    said = [line.removeprefix("#").removeprefix(" ") for line in lines[:end] if "yaml-language-server" not in line]
    return Preset(file, "\n".join(said).strip(), "\n".join(lines[end:]))
