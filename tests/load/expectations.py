"""What a config's comment says that one should see, read and held to what is measured.

A line of the comment is an expectation if it begins with ``# expect``::

    # expect: forward gain 0.995 +- 0.02
    # expect: backward gain 0.41 +- 0.02 of block.0.linear
    # expect: forward rms 0.8 +- 0.05 of block.3.linear
    # expect: forward channel_std/rms 0.65 +- 0.05 of block.3.linear
    # expect: parameter singular_value_mean 0.849 +- 0.004 of block.0.linear.weight
    # expect: backward rms ratio 30 +- 10 of block.0.linear to head
    # expect: log variance 0.83 +- 0.2 of block.9.linear to block.0.linear
    # expect: correlation depth 7.5 +- 0.5 towards 1 of block.3.linear to block.20.linear
    # expect: verdict fail IP101 IP201
    # expect: parameters 124439808
    # expect: residual growth linear
    # expect: residual growth exponential 2.0 +- 0.1
    # expect under xavier_normal: forward gain 0.705 +- 0.02
    # expect with vars.depth=20, vars.width=64: forward gain 1.0 +- 0.02
    # expect with vars.depth=20 under xavier_normal: forward gain 0.705 +- 0.02

A gain is that of the longest stream, or of the one that runs through the site named; a statistic is the mean over seeds at
a call site, or of a parameter. A log variance is that of the squared RMS at one site over that at another, from seed to seed; a correlation
depth the number of layers in which the cosine of two inputs comes e times nearer to a limit, between two sites. ``under``
names one of the schemes of the ``compare:`` list, or any other; ``with`` is what ``--set`` would say. What stands in
parentheses at the end is what the paper says.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from initprobe.commands import probe_all
from initprobe.init.choose import parse_scheme
from initprobe.records import Entry, Estimate, Expected, Segment, SiteSummary, TargetRequest
from initprobe.settings import Flags

LINE = re.compile(
    r"# expect(?: with (?P<sets>\S+=\S+(?:, \S+=\S+)*))?(?: under (?P<scheme>[^:]+(?:\([^)]*\))?))?: "
    r"(?P<what>[^(]+?)(?: \((?P<published>.+)\))?"
)
NUMBER = r"(?P<value>[0-9.e+-]+) \+- (?P<slack>[0-9.e+-]+)"
SPAN = r"of (?P<site>\S+) to (?P<other>\S+)"
GAIN = re.compile(rf"(?P<side>forward|backward) gain {NUMBER}(?: of (?P<site>\S+))?")
RATIO = re.compile(rf"(?P<side>forward|backward) (?P<name>\w+) ratio {NUMBER} {SPAN}")
STATISTIC = re.compile(rf"(?P<side>forward|backward) (?P<name>\w+)(?:/(?P<over>\w+))? {NUMBER} of (?P<site>\S+)")
PARAMETER = re.compile(rf"parameter (?P<name>\w+) {NUMBER} of (?P<site>\S+)")
LOG_VARIANCE = re.compile(rf"log variance {NUMBER} {SPAN}")
CORRELATION = re.compile(rf"correlation depth {NUMBER} towards (?P<limit>[0-9.]+) {SPAN}")
VERDICT = re.compile(r"verdict (?P<verdict>pass|fail|inconclusive)(?P<codes>(?: IP\d+)*)")
COUNT = re.compile(r"parameters (?P<count>\d+)")
GROWTH = re.compile(rf"residual growth (?P<law>constant|linear|exponential)(?: {NUMBER})?")

Found = re.Match[str]


@dataclass(frozen=True)
class Reading:
    """A number that was measured, and what the theory column says of it where it says something."""

    measured: float
    predicted: float | None = None


@dataclass(frozen=True)
class Expectation:
    """One line: the settings and the scheme that it is about (None for the config's own), and what it says."""

    scheme: str | None
    text: str
    sets: tuple[tuple[str, str], ...] = ()
    published: str = ""

    @property
    def variant(self) -> tuple[tuple[tuple[str, str], ...], str | None]:
        """What has to be probed to see it."""
        return self.sets, self.scheme

    def hold(self, entry: Entry) -> None:
        """Compare with what was measured.

        Raises:
            AssertionError: it is not what the line says, or the line cannot be read.
        """
        found, reader = self._read()
        reading = reader(entry, found, self.text)
        if reading is not None:
            near = pytest.approx(self.value, abs=self.slack, rel=0)
            assert reading.measured == near, f"{self.text}: measured {reading.measured:.4g}"

    @property
    def value(self) -> float:
        """The number of a line that is about one."""
        return float(self._read()[0]["value"])

    @property
    def slack(self) -> float:
        """How far what is measured may be from it."""
        return float(self._read()[0]["slack"])

    def reading(self, entry: Entry) -> Reading | None:
        """What was measured; None where the line is not about a number."""
        found, reader = self._read()
        return reader(entry, found, self.text)

    def _read(self) -> tuple[Found, Reader]:
        for pattern, reader in READERS.items():
            found = pattern.fullmatch(self.text)
            if found is not None:
                return found, reader
        raise AssertionError(f"cannot read the expectation {self.text!r}")


def expectations(text: str) -> list[Expectation]:
    """All expectations of a config's text.

    Raises:
        AssertionError: a line begins like one and is none.
    """
    lines = [line.strip() for line in text.splitlines() if line.startswith("# expect")]
    found = []
    for line in lines:
        one = LINE.fullmatch(line)
        assert one is not None, f"cannot read {line!r}"
        sets = tuple(tuple(each.split("=", 1)) for each in (one["sets"] or "").split(", ") if each)
        found.append(Expectation(one["scheme"], one["what"].strip(), sets, one["published"] or ""))
    return found


def probed(path: Path, wanted: Sequence[Expectation]) -> Iterator[tuple[Expectation, Entry]]:
    """Every expectation with what it is about, each variant measured once.

    More seeds than the config's own, which an open verdict asks for, are drawn where a verdict is expected.
    """
    for variant in dict.fromkeys(one.variant for one in wanted):
        sets, scheme = variant
        judged = any(VERDICT.fullmatch(one.text) for one in wanted if one.variant == variant)
        flags = Flags(None if scheme is None else parse_scheme(scheme), probe={} if judged else {"max_seeds": 1})
        (entry,) = probe_all("run", [TargetRequest(str(path), sets=sets)], flags, lambda _line: None).entries
        assert entry.failure is None, entry.failure
        yield from ((one, entry) for one in wanted if one.variant == variant)


def _segment(entry: Entry, site: str | None) -> Segment:
    candidates = [one for one in entry.segments if site is None or site in one.sites]
    assert candidates, f"no stream runs through {site}; there are {[one.label for one in entry.segments]}"
    return max(candidates, key=lambda one: len(one.sites))


def _gain(entry: Entry, found: Found, text: str) -> Reading:
    segment = _segment(entry, found["site"])
    gain = segment.forward if found["side"] == "forward" else segment.backward
    assert gain is not None, text
    return Reading(gain.per_layer.mean, gain.expected)


def _site(entry: Entry, key: str) -> SiteSummary:
    sites = {one.site.key: one for one in entry.sites}
    assert key in sites, f"no call site {key!r}; there are {list(sites)[:20]}"
    return sites[key]


def _estimate(entry: Entry, side: str, name: str, key: str) -> Estimate:
    site = _site(entry, key)
    estimate = ((site.forward if side == "forward" else site.backward) or {}).get(name)
    assert isinstance(estimate, Estimate), f"{key} has no {side} {name}"
    return estimate


def _expected(entry: Entry, side: str, name: str, key: str) -> float | None:
    site = _site(entry, key)
    expected: Expected | None = site.expected if side == "forward" else site.expected_backward
    return expected.accumulated if expected is not None and name == "rms" else None


def _statistic(entry: Entry, found: Found, _text: str) -> Reading:
    side, name, site = found["side"], found["name"], found["site"]
    mean = _estimate(entry, side, name, site).mean
    if found["over"] is not None:
        return Reading(mean / _estimate(entry, side, found["over"], site).mean)
    return Reading(mean, _expected(entry, side, name, site))


def _parameter(entry: Entry, found: Found, text: str) -> Reading:
    (value,) = (one.value for one in entry.weights if one.weight.name == found["site"])
    estimate = value.get(found["name"])
    assert isinstance(estimate, Estimate), text
    return Reading(estimate.mean)


def _ratio(entry: Entry, found: Found, _text: str) -> Reading:
    side, name, keys = found["side"], found["name"], (found["site"], found["other"])
    first, other = (_estimate(entry, side, name, key).mean for key in keys)
    above, below = (_expected(entry, side, name, key) for key in keys)
    return Reading(first / other, None if above is None or not below else above / below)


def _log_variance(entry: Entry, found: Found, _text: str) -> Reading:
    above, below = (_estimate(entry, "forward", "rms", found[key]).per_seed for key in ("site", "other"))
    return Reading(statistics.variance(2.0 * np.log(np.array(above) / np.array(below))))


def _correlation(entry: Entry, found: Found, text: str) -> Reading:
    keys = [one.site.key for one in entry.sites if "cosine" in one.forward]
    sites = keys[keys.index(found["site"]) : keys.index(found["other"]) + 1]
    assert len(sites) > 2, text
    # 1 - cos from the distance of the two: near 1 a cosine has no digits left.
    apart, rms = (
        np.array([_estimate(entry, "forward", name, key).mean for key in sites]) for name in ("pair_distance", "rms")
    )
    off = np.abs(1.0 - apart**2 / (2.0 * rms**2) - float(found["limit"]))
    slope = np.polynomial.Polynomial.fit(np.arange(len(sites)), np.log(off), 1).convert().coef[1]
    return Reading(float(-1.0 / slope))


def _verdict(entry: Entry, found: Found, text: str) -> None:
    codes = {one.rule.code for one in entry.findings if one.severity == "error"}
    assert entry.verdict == found["verdict"], f"{text}: {entry.verdict} {sorted(codes)}"
    assert set(found["codes"].split()) <= codes, f"{text}: {sorted(codes)}"


def _count(entry: Entry, found: Found, text: str) -> None:
    assert entry.parameters == int(found["count"]), f"{text}: {entry.parameters}"


def _growth(entry: Entry, found: Found, text: str) -> Reading | None:
    laws = {stream.growth.law: stream.growth.per_block for stream in entry.residual if stream.growth is not None}
    assert found["law"] in laws, f"{text}: {sorted(laws)}"
    return Reading(laws[found["law"]]) if found["value"] is not None else None


Reader = Callable[[Entry, Found, str], Reading | None]
READERS: dict[re.Pattern[str], Reader] = {
    GAIN: _gain,
    RATIO: _ratio,
    STATISTIC: _statistic,
    PARAMETER: _parameter,
    LOG_VARIANCE: _log_variance,
    CORRELATION: _correlation,
    VERDICT: _verdict,
    COUNT: _count,
    GROWTH: _growth,
}
