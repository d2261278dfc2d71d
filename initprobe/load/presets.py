"""The specs that ship with initprobe: in ``configs/`` of a checkout, inside of the package once it is installed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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


def read_presets() -> Mapping[str, Preset]:
    """Every preset by its name, in order."""
    return {name: _read(file) for name, file in preset_files().items()}


def _read(file: Path) -> Preset:
    lines = file.read_text(encoding="utf-8").splitlines()
    end = next((at for at, line in enumerate(lines) if not line.startswith("#")), len(lines))
    said = [line.removeprefix("#").removeprefix(" ") for line in lines[:end] if "yaml-language-server" not in line]
    return Preset(file, "\n".join(said).strip(), "\n".join(lines[end:]))
