"""What the commands do with what they are given: many targets, many schemes, the points of a grid.

One that is broken is told in its place and hides no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from initprobe.errors import InitprobeError, SpecError, UsageError
from initprobe.init.choose import parse_scheme
from initprobe.load.sources.base import Target
from initprobe.load.stack import stack
from initprobe.load.target import expand_targets, is_saved, looks_like_target, open_target
from initprobe.pipeline import Listener, describe_environment, probe_target
from initprobe.records import (
    Entry,
    Failure,
    InitRequest,
    Report,
    Request,
    SchemeChoice,
    TargetRequest,
)
from initprobe.saved import open_saved, together
from initprobe.search.grid import grid, visit
from initprobe.settings import Flags, resolve


def probe_all(
    command: str,
    targets: Sequence[TargetRequest],
    flags: Flags,
    listen: Listener,
    failed: Callable[[InitprobeError], None] = lambda _error: None,
) -> Report:
    """Probe several targets; one that is broken is told in its place (and to ``failed``) and hides no other."""
    reports = []
    for request in [replace(one, text=text) for one in targets for text in expand_targets([one.text])]:
        listen(request.text)
        reports.append(_report_or_tell(command, request, flags, listen, failed))
    return together(command, reports)


def probe_opened(
    command: str, targets: Sequence[tuple[Target, TargetRequest]], flags: Flags, listen: Listener
) -> Report:
    """Probe targets that are open; the first failure is raised."""
    entries = tuple(_probe_one(target, request, flags, listen) for target, request in targets)
    return Report(command, entries, describe_environment())


def compare_schemes(
    target: Target,
    request: TargetRequest,
    schemes: Sequence[SchemeChoice],
    flags: Flags,
    listen: Listener = lambda _line: None,
) -> Report:
    """One target under each scheme, on the same base variates and the same batches.

    A scheme that does not fit the network is told in its place.

    Raises:
        UsageError: none of them fits.
        TargetError: the network cannot be built or run.
    """
    entries = []
    refusals: list[UsageError] = []
    for scheme in schemes:
        listen(str(scheme))
        chosen = replace(flags, scheme=scheme)
        try:
            entries.append(_probe_one(target, request, chosen, listen))
        except UsageError as error:
            refusals.append(error)
            file = None if target.sections is None else target.sections.init
            entries.append(replace(_failed(request, chosen, error, file), name=target.name))
    if len(refusals) == len(entries):
        raise refusals[0]
    return Report("compare", tuple(entries), describe_environment())


def compare_things(
    things: Sequence[str],
    options: TargetRequest,
    flags: Flags,
    *,
    on: str | None = None,
    shape: Mapping[str, Any] | None = None,
    listen: Listener = lambda _line: None,
) -> Report:
    """What ``initprobe compare`` was given: schemes, or targets, or one spec with a list of schemes.

    Args:
        things: schemes or targets, as typed.
        options: inputs, paths and assignments for every target; its text does not count.
        flags: what is said about probing.
        on: the network that schemes are compared on; None for the built-in one.
        shape: ``depth``, ``width`` and ``activation`` of the built-in network.
        listen: hears what happens next.

    Raises:
        UsageError: there are fewer than two, or a word is neither scheme nor target.
        TargetError: a network cannot be built or run.
    """
    if on is not None and shape:
        raise UsageError(f"--{next(iter(shape))} is for the built-in network; --on names another")
    targets = [text for text in things if looks_like_target(text)]
    if len(things) == 1 and targets and on is None and not is_saved(things[0]):
        return _compare_listed(replace(options, text=things[0]), flags, listen)
    if len(things) < 2 and not targets:
        raise UsageError("compare takes two or more schemes or targets", hint="initprobe compare he xavier --depth 50")
    if not targets:
        if options.weights is not None and on is None:
            raise UsageError("--weights has no place in the built-in network", hint="name a network with --on TARGET")
        schemes = [parse_scheme(text) for text in things]
        request = replace(options, text=on or "stack")
        return compare_schemes(open_target(request) if on else stack(**(shape or {})), request, schemes, flags, listen)
    if on is not None or shape or len(targets) < len(things):
        odd = next((text for text in things if text not in targets), targets[0])
        raise UsageError(
            f"compare takes schemes or targets, not both: {odd!r} is {'a scheme' if odd not in targets else 'a target'}"
        )
    return probe_all("compare", [replace(options, text=text) for text in targets], flags, listen)


def _compare_listed(request: TargetRequest, flags: Flags, listen: Listener) -> Report:
    """A spec under every scheme of its ``compare:`` list."""
    target = open_target(request)
    if target.sections is None or len(target.sections.compare) < 2:
        raise UsageError(f"{request.text} has no `compare:` list of two or more schemes", hint="compare: [he, xavier]")
    return compare_schemes(target, request, target.sections.compare, flags, listen)


def sweep_spec(
    request: TargetRequest,
    flags: Flags,
    listen: Listener = lambda _line: None,
    failed: Callable[[InitprobeError], None] = lambda _error: None,
) -> Report:
    """Every point of the grid that a spec's ``sweep:`` spans, each an entry; a broken one is told in its place."""
    sections = open_target(request).sections
    points = grid(sections.sweep if sections is not None else {}, [*dict(request.sets), *flags.decided])
    entries = visit(points, request, lambda at: _probe_or_tell(at, flags, listen, failed), listen)
    return Report("sweep", entries, describe_environment())


def _probe_or_tell(
    request: TargetRequest, flags: Flags, listen: Listener, failed: Callable[[InitprobeError], None]
) -> Entry:
    try:
        return _probe_one(open_target(request), request, flags, listen)
    except InitprobeError as error:
        failed(error)
        return _failed(request, flags, error)


def _report_or_tell(
    command: str,
    request: TargetRequest,
    flags: Flags,
    listen: Listener,
    failed: Callable[[InitprobeError], None],
) -> Report:
    if not is_saved(request.text):
        return Report(command, (_probe_or_tell(request, flags, listen, failed),), describe_environment())
    try:
        return open_saved(command, request, flags)
    except InitprobeError as error:
        failed(error)
        return Report(command, (_failed(request, flags, error),))


def _probe_one(target: Target, request: TargetRequest, flags: Flags, listen: Listener) -> Entry:
    try:
        return probe_target(target, resolve(request, flags, target.sections), listen)
    except SpecError as error:
        raise error.located(target.sections.spec) if target.sections is not None else error from None


def _failed(request: TargetRequest, flags: Flags, error: InitprobeError, file: InitRequest | None = None) -> Entry:
    init = replace(file or InitRequest(), default=flags.scheme)
    return Entry(
        name=request.text,
        scheme=Request(request, replace(init, only=flags.only or init.only)).origin,
        request=Request(request),
        failure=Failure(int(error.exit_code), error.render()),
    )
