"""``extends: other.yaml``: a spec takes over what another spec says, and says the rest itself.

Mappings are merged key by key; everything else, lists of layers too, is replaced. Every value keeps the place where it
was written, so that a mistake in the other file is told in the other file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from initprobe.errors import KeyPath, Problem, SpecError, UsageError
from initprobe.load.document import Document, decode
from initprobe.load.limits import MAX_BASES, MAX_BYTES, MAX_DEPTH
from initprobe.load.parse import parse
from initprobe.load.presets import preset_file
from initprobe.load.reading import STDIN, read_bytes, shown_path
from initprobe.load.variables import REFERENCE

EXTENDS = "extends"
PRESET = "preset:"
OWN = frozenset({EXTENDS, "version", "name"})
"""What every file says for itself."""

KINDS: tuple[tuple[KeyPath, frozenset[str], frozenset[str]], ...] = (
    (("model",), frozenset({"target"}), frozenset({"layers"})),
    (("model", "input"), frozenset({"from", "array"}), frozenset({"shape", "dist", "vocab"})),
)
"""Mappings of two kinds: whoever says a key of one kind drops what was said of the other."""

FILES: tuple[KeyPath, ...] = (("model", "input", "from"), ("model", "target"))
"""Where a spec names a file, which lies beside the spec."""

Folders = dict[str, Path]
"""The shown name of a file, and its folder as seen from the folder of the spec that was asked for."""


def extend(document: Document, source: str | Path, size: int) -> tuple[Document, Folders]:
    """The document with everything that it takes over from others.

    Args:
        document: what was parsed.
        source: its path, or ``-``: then others are looked for in the working directory.
        size: its bytes; all files together may have as many as one.

    Returns:
        The merged document, and the folders of the files that it extends.

    Raises:
        SpecError: a file cannot be had or is wrong, they go in a circle, or there are too many.
    """
    here = Path() if str(source) == STDIN else Path(source).parent
    opened = [Path(source).resolve()] if str(source) != STDIN else []
    chain, folders, folder = [document], Folders(), Path()
    while (name := _extended_by(chain[-1])) is not None:
        current = chain[-1]
        base = _path_of(name, folder, current)
        _check_chain(current, [*opened, (here / base).resolve()])
        raw = _read(here / base, current)
        size += len(raw)
        if size > MAX_BYTES:
            raise _error(current, f"larger than {MAX_BYTES // 1024} KiB together with what it extends")
        opened.append((here / base).resolve())
        folder = base.parent
        chain.append(_parsed(raw, here / base))
        folders[chain[-1].file] = folder
    merged = chain.pop()
    while chain:
        merged = _merged(merged, chain.pop())
    return merged, folders


def find_files(document: Document, folders: Folders) -> None:
    """Let what an extended spec says of files beside it lead there from the extending one.

    Variables are followed: what counts is the file in which the name itself stands.
    """
    for found in {at for path in FILES if (at := _followed(document, path)) is not None}:
        folder = folders.get(document.value_at[found].file)
        if folder is None:
            continue
        node: Any = document.values
        for key in found[:-1]:
            node = node[key]
        name = node[found[-1]]
        if (".py:" in name or ":" not in name) and not Path(name).is_absolute():
            node[found[-1]] = (folder / name).as_posix()


def _extended_by(document: Document) -> str | None:
    """What the document extends.

    Raises:
        SpecError: it is no name of a spec.
    """
    values = document.values
    if not isinstance(values, dict) or EXTENDS not in values:
        return None
    name = values[EXTENDS]
    hint = "write for example `extends: base.yaml`, or `extends: preset:deep-mlp`"
    if not isinstance(name, str):
        raise _error(document, "'extends' must be the name of a spec", hint)
    if "${" in name:
        raise _error(document, "'extends' cannot come from a variable: variables are filled in later", hint)
    if not name.startswith(PRESET) and not name.lower().endswith((".yaml", ".yml")):
        raise _error(document, "'extends' must be a file that ends in .yaml, or preset:NAME", hint)
    return name


def _path_of(name: str, folder: Path, document: Document) -> Path:
    """The file of that name, as seen from the folder of the first spec."""
    if not name.startswith(PRESET):
        return folder / name
    try:
        return preset_file(name.removeprefix(PRESET))
    except UsageError as error:
        raise _error(document, str(error), error.hint) from None


def _check_chain(document: Document, opened: list[Path]) -> None:
    new = opened[-1]
    if new in opened[:-1]:
        names = " → ".join(path.name for path in opened[opened.index(new) :])
        raise _error(document, f"{names} goes in a circle")
    if len(opened) > MAX_BASES + 1:
        raise _error(document, f"a chain of more than {MAX_BASES} specs that extend each other")


def _read(path: Path, document: Document) -> bytes:
    try:
        return read_bytes(path)
    except UsageError as error:
        raise _error(document, str(error), error.hint) from None


def _parsed(raw: bytes, path: Path) -> Document:
    """A spec that is extended: it need not be whole, but what it says must be readable and in this language."""
    file = shown_path(os.path.normpath(path))
    document = parse(decode(raw, file), file)
    values = document.values
    if not isinstance(values, dict):
        document.problems.append(Problem("a spec must be a mapping (`key: value`)"))
    elif "version" not in values:
        document.problems.append(Problem("a spec needs 'version'", (), "begin the file with `version: 1`"))
    elif values["version"] != 1 or isinstance(values["version"], bool):
        document.problems.append(Problem("'version' must be 1", ("version",), "no other version is known"))
    if document.problems:
        raise SpecError(document.problems, spec=document.spec())
    return document


def _merged(base: Document, over: Document) -> Document:
    """What both say; where both say something, the second counts."""
    replaced: set[KeyPath] = {(key,) for key in OWN}
    values = _merge({key: value for key, value in base.values.items() if key not in OWN}, over.values, (), replaced)
    values.pop(EXTENDS, None)

    def kept(path: KeyPath) -> bool:
        return not any(path[:end] in replaced for end in range(1, len(path) + 1))

    return Document(
        over.file,
        values,
        {**{path: place for path, place in base.value_at.items() if kept(path)}, **over.value_at},
        {**{path: place for path, place in base.key_at.items() if kept(path)}, **over.key_at},
        over.problems,
    )


def _merge(base: dict[str, Any], over: dict[str, Any], path: KeyPath, replaced: set[KeyPath]) -> dict[str, Any]:
    """Mappings merged; notes the key paths of which nothing is left of the first."""
    dropped = _of_another_kind(over, path)
    replaced.update((*path, key) for key in dropped)
    merged = {key: value for key, value in base.items() if key not in dropped}
    for key, value in over.items():
        here, old = (*path, key), merged.get(key)
        if isinstance(value, dict) and isinstance(old, dict) and not _is_whole(value, here):
            merged[key] = _merge(old, value, here, replaced)
        else:
            merged[key] = value
            replaced.add(here)
    return merged


def _is_whole(value: dict[str, Any], path: KeyPath) -> bool:
    """Variables, and schemes with their options, are replaced as they are."""
    return (path[:1] == ("vars",) and len(path) == 2) or "scheme" in value


def _of_another_kind(over: dict[str, Any], path: KeyPath) -> frozenset[str]:
    for where, one, other in KINDS:
        if path == where:
            says_one, says_other = bool(one & over.keys()), bool(other & over.keys())
            if says_one != says_other:
                return other if says_one else one
    return frozenset()


def _followed(document: Document, path: KeyPath) -> KeyPath | None:
    """Where the text that stands at a key path was written; None where there is none."""
    at: KeyPath = ()
    node, steps = document.values, 0
    variables = node.get("vars") if isinstance(node, dict) else None
    for key in (*path, None):
        while isinstance(node, str) and (found := REFERENCE.fullmatch(node)) and steps < MAX_DEPTH:
            node = variables.get(found[1]) if isinstance(variables, dict) else None
            at, steps = ("vars", found[1]), steps + 1
        if key is None:
            break
        if not isinstance(node, dict) or key not in node:
            return None
        node, at = node[key], (*at, key)
    return at if isinstance(node, str) and at in document.value_at else None


def _error(document: Document, message: str, hint: str | None = None) -> SpecError:
    """A mistake in what a document extends; what was wrong with it already is told, too."""
    return SpecError([*document.problems, Problem(message, (EXTENDS,), hint)], spec=document.spec())
