"""Finds the Python object that a reference names: the file or module is imported, sys.path is put back."""

from __future__ import annotations

import hashlib
import importlib
import importlib.machinery
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from initprobe.errors import TargetError
from initprobe.load.reference import Reference
from initprobe.load.usercode import running
from initprobe.source_lines import in_project

_home: dict[str, Path] = {}
"""Modules that were imported for a target, with the root they came from."""
_aside: dict[Path, dict[str, ModuleType]] = {}
"""Modules of other roots that had to make way for a namesake."""


@contextmanager
def importable(roots: tuple[Path, ...]) -> Iterator[None]:
    """Around imports and factory calls: the roots come first on ``sys.path``, and are gone afterwards.

    Two projects may each have a ``layers.py``. While the first root is in use, its own one is in ``sys.modules``.
    """
    if not roots:
        yield
        return
    added = [str(root) for root in roots]
    _make_way(roots[0])
    known = set(sys.modules)
    sys.path[:0] = added
    importlib.invalidate_caches()
    try:
        yield
    finally:
        for entry in added:
            if entry in sys.path:
                sys.path.remove(entry)
        for name in set(sys.modules) - known:
            file = getattr(sys.modules[name], "__file__", None)
            if file and in_project(file) and Path(file).is_relative_to(roots[0]):
                _home[name] = roots[0]


def _make_way(root: Path) -> None:
    rivals = [name for name, home in _home.items() if home != root and _offers(root, name.partition(".")[0])]
    for name in rivals:
        module = sys.modules.pop(name, None)
        if module is not None:
            _aside.setdefault(_home[name], {})[name] = module
        del _home[name]
    for name, module in _aside.pop(root, {}).items():
        sys.modules[name] = module
        _home[name] = root


def _offers(root: Path, name: str) -> bool:
    return (root / f"{name}.py").is_file() or (root / name).is_dir()


def roots_of(reference: Reference, paths: tuple[str, ...]) -> tuple[Path, ...]:
    """What must be importable: the package root of a file or the working directory, then ``--path``.

    Raises:
        TargetError: a directory of ``--path`` is not there.
    """
    extra = tuple(Path(path).resolve() for path in paths)
    for typed, path in zip(paths, extra, strict=True):
        if not path.is_dir():
            raise TargetError(f"there is no directory {typed!r} to import from (--path)")
    return (_package_root(_source_file(reference.place)) if reference.is_file else Path.cwd(), *extra)


def _source_file(typed: str) -> Path:
    """The file itself.

    Raises:
        TargetError: it is not there; the message has close matches.
    """
    try:
        path = Path(typed).resolve()
        if path.is_file():
            return path
        siblings = [found.name for found in path.parent.glob("*.py")]
    except (OSError, ValueError) as error:  # a name that no file system takes
        raise TargetError(f"there is no file {typed!r}") from error
    near = [str(Path(typed).with_name(match)) for match in get_close_matches(path.name, siblings, n=3)]
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"looked in {path.parent}"
    raise TargetError(f"there is no file {typed!r}", hint=hint)


def find_object(reference: Reference, paths: tuple[str, ...]) -> Any:
    """Import the place of a reference and look the attribute up.

    Raises:
        TargetError: the place is not found, raises, or has no such attribute.
    """
    roots = roots_of(reference, paths)
    with importable(roots):
        module = _import_file(reference, roots[0]) if reference.is_file else _import_module(reference.place, roots)
        value: Any = module
        with _importing(reference.place):  # a module may load its attributes late
            for depth, name in enumerate(reference.attribute.split(".")):
                missing = object()
                found = getattr(value, name, missing)
                if found is missing:
                    owner = ".".join([reference.place, *reference.attribute.split(".")[:depth]])
                    raise _no_attribute(value, name, owner, reference)
                value = found
    return value


@contextmanager
def _importing(place: str) -> Iterator[None]:
    try:
        with running(f"{place} could not be imported: it"):
            yield
    except TargetError as error:
        if isinstance(error.__cause__, ModuleNotFoundError) and error.__cause__.name and not error.hint:
            error.hint = _path_hint(error.__cause__.name)
        raise


def _import_module(name: str, roots: tuple[Path, ...]) -> ModuleType:
    try:
        with _importing(name):
            return importlib.import_module(name)
    except TargetError as error:
        cause = error.__cause__
        if isinstance(cause, ModuleNotFoundError) and cause.name and f"{name}.".startswith(f"{cause.name}."):
            raise _no_module(name, cause.name, roots) from cause
        raise


def _no_module(name: str, missing: str, roots: tuple[Path, ...]) -> TargetError:
    parent, _, leaf = missing.rpartition(".")
    places = getattr(sys.modules.get(parent), "__path__", []) if parent else [str(root) for root in roots]
    names = [found.name for found in pkgutil.iter_modules(places)]
    near = get_close_matches(leaf, names, n=3)
    beside_the_path = None if near or parent else _path_hint(missing)
    if not near and not parent and beside_the_path is None:
        near = get_close_matches(leaf, [found.name for found in pkgutil.iter_modules()], n=3, cutoff=0.8)
    if near:
        rest = name[len(missing) :]
        full = [f"{parent}.{match}{rest}" if parent else f"{match}{rest}" for match in near]
        hint = f"did you mean {' or '.join(map(repr, full))}?"
    elif parent and names:
        hint = f"{parent} has: {_listed(names)}"
    else:
        hint = beside_the_path or f"looked in {', '.join(map(str, roots))} and among the installed packages"
    return TargetError(f"there is no module {missing!r}", hint=hint)


def _path_hint(missing: str) -> str | None:
    """The directory that would make a module importable, where it is one of the usual two."""
    top = missing.partition(".")[0]
    for typed in (".", "src"):
        root = Path(typed).resolve()
        if str(root) not in sys.path and _offers(root, top):
            return f"{top!r} lies in {typed}/: add --path {typed}"
    return None


def _package_root(file: Path) -> Path:
    root = file.parent
    while (root / "__init__.py").is_file() and root != root.parent:
        root = root.parent
    return root


def _import_file(reference: Reference, root: Path) -> ModuleType:
    path = _source_file(reference.place)
    parts = path.relative_to(root).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    with _importing(reference.place):
        if len(parts) == 1 and not _is_free(name, path):
            return _import_alone(path)
        module = importlib.import_module(name)
    loaded = getattr(module, "__file__", None)
    if loaded is None or Path(loaded).resolve() != path:
        raise TargetError(
            f"{reference.place} could not be imported: {name!r} is already imported from {loaded}",
            hint="probe them in two runs, or rename one of the packages",
        )
    return module


def _is_free(name: str, path: Path) -> bool:
    """Whether a lone file can be imported under its own name without taking the place of another module."""
    loaded = sys.modules.get(name)
    if loaded is not None:
        file = getattr(loaded, "__file__", None)
        return file is not None and Path(file).resolve() == path
    if name in sys.stdlib_module_names or not name.isidentifier():
        return False
    others = [entry for entry in sys.path if Path(entry).resolve() != path.parent]
    return importlib.machinery.PathFinder.find_spec(name, others) is None


def _import_alone(path: Path) -> ModuleType:
    """Import a file under a name that nothing else has; once per process."""
    digest = hashlib.sha256(str(path).encode("utf-8", "surrogatepass")).hexdigest()[:12]
    name = f"_initprobe_{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"Python cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _no_attribute(owner: Any, name: str, shown: str, reference: Reference) -> TargetError:
    candidates = buildable(owner)
    near = get_close_matches(name, candidates, n=1) or get_close_matches(name, dir(owner), n=1)
    if near:
        head = reference.attribute.rpartition(".")[0]
        hint = f"did you mean {f'{reference.place}:{head + chr(46) if head else str()}{near[0]}'!r}?"
    else:
        hint = f"it has: {_listed(candidates)}" if candidates else "it has no public class or function of its own"
    return TargetError(f"{shown} has no {name!r}", hint=hint)


def buildable(owner: Any) -> list[str]:
    """Names a target could be: models and their classes first, then the other classes and functions defined there."""
    home = str(getattr(owner, "__name__", "")).partition(".")[0]
    models, others = [], []
    for name, value in vars(owner).items() if hasattr(owner, "__dict__") else ():
        if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
            continue
        own = str(getattr(value, "__module__", "")).partition(".")[0] == home or not isinstance(owner, ModuleType)
        if isinstance(value, nn.Module) or (inspect.isclass(value) and issubclass(value, nn.Module) and own):
            models.append(name)
        elif own and (inspect.isroutine(value) or inspect.isclass(value)):
            others.append(name)
    return models + others


def _listed(names: Iterable[str], most: int = 8) -> str:
    every = list(names)
    return ", ".join(every[:most]) + (f" and {len(every) - most} more" if len(every) > most else "")
