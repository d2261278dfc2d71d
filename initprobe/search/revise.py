"""Writes a fix into the spec that was checked, once the edited text has been read and checked again."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from initprobe.errors import InitprobeError, UsageError
from initprobe.load.edit import BOM, UneditableError, edit_init
from initprobe.load.init_text import init_section
from initprobe.load.reading import STDIN, read_bytes, shown_path
from initprobe.load.schema import read_spec, sections
from initprobe.load.sources.yaml import is_spec, open_spec
from initprobe.load.target import open_target
from initprobe.pipeline import Listener, probe_target
from initprobe.records import Entry, InitRequest
from initprobe.report.write import rewrite_bytes


@dataclass(frozen=True, slots=True)
class Revision:
    """A spec with another init, read again and checked.

    Attributes:
        file: as it was named.
        data: the bytes to write.
        entry: what the check of the edited text found.
        summary: what is changed.
    """

    file: str
    data: bytes
    entry: Entry
    summary: str

    def write(self, place: Path | None = None) -> None:
        """Replace the file, which keeps its mode, or write the text to another place.

        Raises:
            UsageError: it cannot be written, or does not find from there what it names.
        """
        if place is not None:
            target = self.entry.request.target
            text = self.data.decode("utf-8").removeprefix(BOM)
            open_spec(read_spec(place, text=text, sets=target.sets), place.parent, target, open_target)
        rewrite_bytes(Path(self.file) if place is None else place, self.data)


def check_revisable(entry: Entry) -> None:
    """Find out whether there is a file to be edited, before anything is searched for.

    Raises:
        UsageError: there is none, or something else than the file decides the init.
    """
    target = entry.request.target
    if not is_spec(target.text) or target.text == STDIN:
        raise UsageError(
            f"{target.text!r} is no spec file: there is no `init:` section to write a fix into",
            hint="initprobe suggest prints what to paste",
        )
    if entry.request.typed:
        raise UsageError(
            f"{' '.join(entry.request.typed)} decides the init, not {shown_path(target.text)}", hint="leave it out"
        )
    if not is_writable(Path(target.text)):
        raise UsageError(f"cannot write {shown_path(target.text)!r}: it is read-only")


def is_writable(path: Path) -> bool:
    """Whether a file lets itself be written: root may write what says that it is read-only, and does not."""
    try:
        return bool(path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)) and os.access(path, os.W_OK)
    except OSError:
        return False


def revise(before: Entry, healed: Sequence[Entry], listen: Listener = lambda _line: None) -> Revision:
    """The spec with the first of these changes that can be made in its text.

    Args:
        before: what was checked.
        healed: verified changes, the best first.
        listen: hears what happens next.

    Raises:
        UsageError: none can be made; the message holds the first as YAML to paste.
    """
    refusals = []
    for entry in healed:
        try:
            return _revised(before, entry, listen)
        except InitprobeError as error:
            refusals.append(str(error))
    file = shown_path(before.request.target.text)
    if not healed:
        raise UsageError(f"{file} is left as it is: no fix was verified")
    section = init_section(healed[0].request.init).rstrip("\n").replace("\n", "\n    ")
    raise UsageError(f"{file} is left as it is: {refusals[0]}", hint=f"paste this instead of its init:\n    {section}")


def _revised(before: Entry, after: Entry, listen: Listener) -> Revision:
    target, wanted = before.request.target, after.request.init
    raw = read_bytes(target.text)
    text = edit_init(raw.decode("utf-8"), before.request.init, wanted)
    spec = read_spec(target.text, text=text.removeprefix(BOM), sets=target.sets)
    if (sections(spec).init or InitRequest()) != wanted:
        raise UneditableError("its `init:` is decided elsewhere")
    listen("checking the edited spec")
    opened = open_spec(spec, Path(target.text).parent, target, open_target)
    entry = probe_target(opened, replace(before.request, init=wanted), listen)
    if entry.verdict != "pass":
        raise UneditableError(f"the check of the edited spec answers {entry.verdict}")
    summary = after.change.summary if after.change is not None else str(wanted)
    return Revision(target.text, text.encode("utf-8"), entry, summary)
