"""From the text of a target to the target: which source opens it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from initprobe.errors import NothingToProbeError, UsageError
from initprobe.load.checkpoint import weighted
from initprobe.load.sources.base import SOURCES, Source, Target
from initprobe.records import TargetRequest


def open_target(request: TargetRequest) -> Target:
    """Open ``FILE.yaml``, ``-``, ``SOURCE:ID[CALL]``, ``MODULE:ATTR[CALL]`` or ``FILE.py:ATTR[CALL]``.

    The weights of a checkpoint, where one is asked for, go into whatever target it is.

    Raises:
        UsageError: the text is no target, its source does not exist, or the checkpoint cannot be read.
        TargetError: it leads nowhere, or user code raised.
        SpecError: a spec is wrong.
    """
    found, reference = _choose(request.text)
    # Without the checkpoint: a target that leads to another one would load it twice.
    target = found.open(reference, replace(request, weights=None), open_target)
    if request.sets and target.sections is None:
        raise UsageError(
            f"--set changes a value of a spec, and {request.text!r} is none",
            hint="arguments stand behind a name: file.py:build(depth=3), hf:gpt2(n_layer=3)",
        )
    return weighted(target, request.weights)


def looks_like_target(text: str) -> bool:
    """Whether a word on the command line is a target: a dot, a slash or a colon stands in it before any call."""
    return any(mark in text.partition("(")[0] for mark in ".:/\\") or text == "-"


def is_saved(text: str) -> bool:
    """Whether a target is a saved result; a configuration of a library (``hf:config.json``) is none."""
    return text.lower().endswith(".json") and re.match(r"[\w.-]{2,}:", text) is None


def runs_code(text: str) -> bool:
    """Whether opening a target runs code that its text names; specs and libraries' models do not."""
    return not _is_directory(text) and not is_saved(text) and _choose(text)[0].code


def expand_targets(texts: Iterable[str]) -> tuple[str, ...]:
    """The targets with every directory replaced by the ``*.yaml`` and ``*.yml`` files in it, sorted by name.

    Raises:
        NothingToProbeError: a directory holds none.
    """
    expanded: list[str] = []
    for text in texts:
        if not _is_directory(text):
            expanded.append(text)
            continue
        try:
            specs = sorted(path for path in Path(text).iterdir() if path.suffix in (".yaml", ".yml") and path.is_file())
        except OSError as error:
            raise UsageError(f"cannot look into {text!r}: {error.strerror}") from error
        if not specs:
            raise NothingToProbeError(f"no *.yaml file in {text!r}")
        expanded += map(str, specs)
    return tuple(expanded)


def _choose(text: str) -> tuple[Source, str]:
    """The source of a text, and what it is to open."""
    for candidate in SOURCES.values():
        if candidate.accepts(text):
            return candidate, text
    prefix, colon, rest = text.partition(":")
    if colon and len(prefix) > 1 and prefix in SOURCES:  # one letter is a drive
        return SOURCES[prefix], rest
    if text.endswith(".json"):
        raise UsageError(f"{text!r} is a saved result, not a network")
    if _is_directory(text):
        raise UsageError(f"{text!r} is a directory", hint="name one of the files in it")
    if not colon and not text.endswith(".py") and Path(text).suffix:
        raise UsageError(f"{text!r} is no target", hint=f"a target is {_forms()}")
    return SOURCES["python"], text


def _is_directory(text: str) -> bool:
    try:
        return bool(text) and Path(text).is_dir()
    except OSError:  # a name that no file system takes
        return False


def _forms() -> str:
    return "; or ".join(candidate.form for candidate in SOURCES.values())
