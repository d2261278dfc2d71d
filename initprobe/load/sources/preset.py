"""Presets: the specs that ship with initprobe, by name."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches

from initprobe.errors import UsageError
from initprobe.load.presets import preset_files
from initprobe.load.sources.base import Opener, Source, Target, source
from initprobe.records import TargetRequest


def open_preset(reference: str, request: TargetRequest, opener: Opener) -> Target:
    """Open the spec of that name; see ``sources.base.Source``.

    Raises:
        UsageError: there is none; the message has close matches and the list.
    """
    files = preset_files()
    name = reference.strip()
    if name not in files:
        near = get_close_matches(name.partition("(")[0], files, n=1)
        if near and "(" in name:
            raise UsageError(f"the preset {near[0]!r} takes no arguments", hint="--set vars.depth=20 changes a spec")
        meant = f"did you mean preset:{near[0]}? " if near else ""
        raise UsageError(f"there is no preset {name!r}", hint=f"{meant}there are: {', '.join(files) or 'none'}")
    return opener(replace(request, text=str(files[name])))


PRESET = source(Source(name="preset", form="preset:NAME", open=open_preset))
