"""Which scheme draws which weight: the default, unless an override matches; the last that matches wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from initprobe.errors import Problem, SpecError, UsageError
from initprobe.records import InitRequest, Override, SchemeChoice


@dataclass(frozen=True, slots=True)
class Candidate:
    """A parameter as overrides see it.

    Attributes:
        names: its own names, tied ones included.
        paths: the modules it lies in, from the model itself (the empty path) down to its owner.
        role: its own role.
        labels: other words for what it belongs to: the owner's role, block types and class names of its modules.
    """

    names: tuple[str, ...]
    paths: tuple[str, ...]
    role: str
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class Assignment:
    """The scheme that a parameter gets.

    Attributes:
        choice: None where no scheme was asked for.
        chosen: whether the parameter itself was meant, by its name or its role, and not only a module it lies in.
            A scheme then draws it even if it is a bias or a normalization's scale.
        reason: why there is none, where it is not for want of asking.
    """

    choice: SchemeChoice | None
    chosen: bool = False
    reason: str | None = None


def enclosing(path: str) -> tuple[str, ...]:
    """A module path and those of the modules around it: ``a.b`` gives the empty path, ``a`` and ``a.b``."""
    parts = path.split(".") if path else []
    return tuple(".".join(parts[:end]) for end in range(len(parts) + 1))


def assign_schemes(candidates: Sequence[Candidate], request: InitRequest) -> list[Assignment]:
    """The scheme of every candidate, in their order.

    A glob matches a parameter by its name or by the path of any module it lies in; ``*`` crosses dots. A layer type
    matches by block type or class name of any such module, whatever the case, or by role.

    Raises:
        SpecError: an override matches nothing; all such overrides in one go, with the nearest names.
    """
    problems = [
        _unmatched(index, override, candidates)
        for index, override in enumerate(request.overrides)
        if not any(_matches(override, candidate) for candidate in candidates)
    ]
    if problems:
        raise SpecError(problems)
    assignments = []
    for candidate in candidates:
        assignment = Assignment(request.default)
        for override in request.overrides:
            if _matches(override, candidate):
                assignment = Assignment(override.scheme, _means_itself(override, candidate))
        assignments.append(assignment)
    return assignments


def check_globs(globs: Sequence[str], candidates: Sequence[Candidate]) -> None:
    """Make sure that every glob matches a parameter.

    Raises:
        UsageError: one matches nothing, with the nearest names, or is empty.
    """
    if "" in globs:
        raise UsageError("an empty pattern matches no parameter", hint="leave it out to draw everything, or write '*'")
    known = dict.fromkeys(name for one in candidates for name in (*one.paths, *one.names) if name)
    for glob in globs:
        if not any(fnmatchcase(name, glob) for one in candidates for name in (*one.names, *one.paths)):
            near = get_close_matches(glob, known, n=3)
            hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are {', '.join([*known][:5])} …"
            raise UsageError(f"{glob!r} matches no parameter", hint=hint)


def _matches(override: Override, candidate: Candidate) -> bool:
    """Whether both conditions hold, as far as they are given."""
    if override.glob is not None:
        glob = override.glob
        if not any(fnmatchcase(name, glob) for name in (*candidate.names, *candidate.paths)):
            return False
    if override.layer_type is not None:
        return override.layer_type.lower() in candidate.labels | {candidate.role}
    return override.glob is not None


def _means_itself(override: Override, candidate: Candidate) -> bool:
    if override.layer_type is not None and override.layer_type.lower() == candidate.role:
        return True
    return override.glob is not None and not any(fnmatchcase(path, override.glob) for path in candidate.paths)


def _unmatched(index: int, override: Override, candidates: Sequence[Candidate]) -> Problem:
    known: Mapping[str, None]
    if override.glob is not None:
        what = override.glob
        known = dict.fromkeys(name for one in candidates for name in (*one.paths, *one.names) if name)
    else:
        what = override.layer_type or ""
        known = dict.fromkeys(label for one in candidates for label in sorted({*one.labels, one.role}))
    near = get_close_matches(what if override.glob is not None else what.lower(), known, n=3)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are {', '.join(list(known)[:5])} …"
    path = ("init", "overrides", index, "match") + (("type",) if override.glob is None else ())
    return Problem(f"the override for {what!r} matches no parameter", path, hint if known else None)
