"""Who a finding is, from one run to the next: the same while the numbers and the lines around it move."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass

from initprobe.records import Entry, Finding, Report
from initprobe.report.result import plain_fields, portable_path

_NUMBER = re.compile(r"[0-9]+")
_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Identified:
    """A finding with its entry and its name for machines.

    Attributes:
        fingerprint: 32 hexadecimal digits, another for every finding of a report.
        number: the place of its entry in the report.
    """

    entry: Entry
    finding: Finding
    fingerprint: str
    number: int


def identified(report: Report) -> tuple[Identified, ...]:
    """Every finding of a report with its fingerprint, suppressed ones too.

    It is made of the rule, the target, the scheme, the file, the text of the line (not its number) and the first layer
    (or parameter, where no layer is named) without its numbers: a stack that grows deeper keeps its findings. Those
    that are alike are told apart by their order.
    """
    seen: Counter[str] = Counter()
    found = []
    for number, entry in enumerate(report.entries):
        for finding in entry.findings:
            lasting = _lasting(entry, finding)
            seen[lasting] += 1
            salted = lasting if seen[lasting] == 1 else f"{lasting}\0{seen[lasting]}"
            found.append(Identified(entry, finding, _digest(salted), number))
    return tuple(found)


def _lasting(entry: Entry, finding: Finding) -> str:
    place = finding.location
    first = next(iter((*finding.sites, *finding.parameters, *finding.about)), "")
    parts = (
        finding.rule.code,
        plain_fields(entry.request.target)["text"],
        entry.scheme,
        portable_path(place.file) if place is not None else "",
        " ".join(place.text.split()) if place is not None else "",
        _NUMBER.sub("#", first),
    )
    return "\0".join(parts)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_LENGTH]
