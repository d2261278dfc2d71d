"""Presets: the specs that ship with initprobe, by name."""

from __future__ import annotations

from dataclasses import replace

from initprobe.load.presets import preset_file
from initprobe.load.sources.base import Opener, Source, Target, source
from initprobe.records import TargetRequest


def open_preset(reference: str, request: TargetRequest, opener: Opener) -> Target:
    """Open the spec of that name; see ``sources.base.Source``.

    Raises:
        UsageError: there is none; the message has close matches and the list.
    """
    return opener(replace(request, text=str(preset_file(reference))))


PRESET = source(Source(name="preset", form="preset:NAME", open=open_preset, code=False))
