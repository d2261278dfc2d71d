"""What is written beside a layer about rules that do not count there: in a spec, or in a comment on the line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from initprobe.check.places import of_site, of_weight
from initprobe.check.policy import Ignore
from initprobe.check.selection import codes_of
from initprobe.errors import UsageError
from initprobe.records import CheckRequest, Location, Site, Weight

COMMENT = re.compile(r"ignore\[([^\]]*)\]\s*:?\s*(.*)", re.DOTALL)
"""``ignore[dead-units, IP302] a gate``, behind ``# initprobe:``."""


def ignores_of(request: CheckRequest, sites: Iterable[Site], weights: Iterable[Weight]) -> tuple[Ignore, ...]:
    """Everything that layers ignore, one for each rule that is written.

    A comment holds for the layers that its line built and for all that is in them, or for the operation that it does.
    One that cannot be read, or names no rule, ignores nothing; rule IP007 tells.
    """
    written = (
        Ignore(one.rule, frozenset(codes_of((one.rule,))), one.reason, one.location, one.globs)
        for one in request.ignores
    )
    return (*written, *_comments(_places(sites, weights)))


def _comments(written: Iterable[tuple[str, Location]]) -> Iterator[Ignore]:
    places: dict[tuple[str, int], set[str]] = {}
    locations: dict[tuple[str, int], Location] = {}
    for place, location in written:
        if location.remark:
            places.setdefault((location.file, location.line), set()).add(place)
            locations.setdefault((location.file, location.line), location)
    for line, location in locations.items():
        found = COMMENT.fullmatch(location.remark)
        for name in found[1].split(",") if found else [location.remark]:
            codes = _known(name.strip()) if found else frozenset[str]()
            reason = found[2] if found else ""
            yield Ignore(name.strip(), codes, reason, location, places=frozenset(places[line]))


def _places(sites: Iterable[Site], weights: Iterable[Weight]) -> Iterator[tuple[str, Location]]:
    for site in sites:
        if site.location is not None:
            yield of_site(site).written, site.location
    for weight in weights:
        if weight.location is not None:
            yield of_weight(weight).written, weight.location


def _known(name: str) -> frozenset[str]:
    """The rules that a name stands for; none where it is misspelt."""
    try:
        return frozenset(codes_of((name,)))
    except UsageError:
        return frozenset()
