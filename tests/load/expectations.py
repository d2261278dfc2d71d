"""What a config's comment says that one should see, read and held to what is measured.

A line of the comment is an expectation if it begins with ``# expect``::

    # expect: forward gain 0.995 +- 0.02
    # expect: backward gain 0.41 +- 0.02 of block.0.linear
    # expect: forward rms 0.8 +- 0.05 of block.3.linear
    # expect: backward rms ratio 30 +- 10 of block.0.linear to head
    # expect: verdict fail IP101 IP201
    # expect: parameters 124439808
    # expect: residual growth linear
    # expect under xavier_normal: forward gain 0.705 +- 0.02

A gain is that of the longest stream, or of the one that runs through the site named; a statistic is the mean over seeds at
a call site. ``under`` names one of the schemes of the ``compare:`` list, or any other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

import initprobe as ip
from initprobe.records import Entry, Estimate, Segment

LINE = re.compile(r"# expect(?: under (?P<scheme>[^:]+(?:\([^)]*\))?))?: (?P<what>.+)")
NUMBER = r"(?P<value>[0-9.e+-]+) \+- (?P<slack>[0-9.e+-]+)"
GAIN = re.compile(rf"(?P<side>forward|backward) gain {NUMBER}(?: of (?P<site>\S+))?")
RATIO = re.compile(rf"(?P<side>forward|backward) (?P<name>\w+) ratio {NUMBER} of (?P<site>\S+) to (?P<other>\S+)")
STATISTIC = re.compile(rf"(?P<side>forward|backward) (?P<name>\w+) {NUMBER} of (?P<site>\S+)")
VERDICT = re.compile(r"verdict (?P<verdict>pass|fail|inconclusive)(?P<codes>(?: IP\d+)*)")
COUNT = re.compile(r"parameters (?P<count>\d+)")
GROWTH = re.compile(r"residual growth (?P<law>constant|linear|exponential)")


@dataclass(frozen=True)
class Expectation:
    """One line: the scheme that it is about (None for the config's own init), and what it says."""

    scheme: str | None
    text: str

    def hold(self, result: ip.Result) -> None:
        """Compare with what was measured.

        Raises:
            AssertionError: it is not what the line says, or the line cannot be read.
        """
        entry = result.entry
        for pattern, check in CHECKS.items():
            found = pattern.fullmatch(self.text)
            if found is not None:
                check(entry, found, self.text)
                return
        raise AssertionError(f"cannot read the expectation {self.text!r}")


def expectations(text: str) -> list[Expectation]:
    """All expectations of a config's text."""
    found = (LINE.fullmatch(line.strip()) for line in text.splitlines())
    return [Expectation(one["scheme"], one["what"].strip()) for one in found if one is not None]


def _near(measured: float, found: re.Match[str], text: str) -> None:
    wanted = pytest.approx(float(found["value"]), abs=float(found["slack"]), rel=0)
    assert measured == wanted, f"{text}: measured {measured:.4g}"


def _segment(entry: Entry, site: str | None) -> Segment:
    candidates = [one for one in entry.segments if site is None or site in one.sites]
    assert candidates, f"no stream runs through {site}; there are {[one.label for one in entry.segments]}"
    return max(candidates, key=lambda one: len(one.sites))


def _gain(entry: Entry, found: re.Match[str], text: str) -> None:
    segment = _segment(entry, found["site"])
    gain = segment.forward if found["side"] == "forward" else segment.backward
    assert gain is not None, text
    _near(gain.per_layer.mean, found, text)


def _mean(entry: Entry, side: str, name: str, site: str) -> float:
    sites = {one.site.key: one for one in entry.sites}
    assert site in sites, f"no call site {site!r}; there are {list(sites)[:20]}"
    statistics = sites[site].forward if side == "forward" else sites[site].backward
    estimate = (statistics or {}).get(name)
    assert isinstance(estimate, Estimate), f"{site} has no {side} {name}"
    return estimate.mean


def _statistic(entry: Entry, found: re.Match[str], text: str) -> None:
    _near(_mean(entry, found["side"], found["name"], found["site"]), found, text)


def _ratio(entry: Entry, found: re.Match[str], text: str) -> None:
    first, other = (_mean(entry, found["side"], found["name"], found[key]) for key in ("site", "other"))
    _near(first / other, found, text)


def _verdict(entry: Entry, found: re.Match[str], text: str) -> None:
    codes = {one.rule.code for one in entry.findings if one.severity == "error"}
    assert entry.verdict == found["verdict"], f"{text}: {entry.verdict} {sorted(codes)}"
    assert set(found["codes"].split()) <= codes, f"{text}: {sorted(codes)}"


def _count(entry: Entry, found: re.Match[str], text: str) -> None:
    assert entry.parameters == int(found["count"]), f"{text}: {entry.parameters}"


def _growth(entry: Entry, found: re.Match[str], text: str) -> None:
    laws = {stream.growth.law for stream in entry.residual if stream.growth is not None}
    assert found["law"] in laws, f"{text}: {sorted(laws)}"


CHECKS = {GAIN: _gain, RATIO: _ratio, STATISTIC: _statistic, VERDICT: _verdict, COUNT: _count, GROWTH: _growth}
