"""Every example of every rule, probed as a user would: the good ones stay silent, the bad ones are found.

Whatever is found stands on a line that is there: GitHub refuses a whole file of findings for one that does not.
"""

import json

import pytest

from initprobe import api
from initprobe.check.regression import against
from initprobe.check.rules.base import RULES

pytestmark = pytest.mark.untraced

CASES = [
    pytest.param(leaf, example, expected, id=f"{leaf.card.name}-{kind}-{number}")
    for leaf in RULES.values()
    for kind, examples, expected in (("good", leaf.good, False), ("bad", leaf.bad, True))
    for number, example in enumerate(examples)
]


@pytest.mark.parametrize(("leaf", "example", "expected"), CASES)
def test_example(leaf, example, expected, tmp_path):
    file = tmp_path / ("net.yaml" if example.language == "yaml" else "net.py")
    target = str(file) if example.language == "yaml" else f"{file}:build"
    before = None
    if leaf.compares:
        file.write_text(example.earlier, encoding="utf-8")
        before = api.probe(target).report
    file.write_text(example.text, encoding="utf-8")
    options = dict(example.options)
    if example.scheme is not None:
        options["scheme"] = example.scheme
    # As `initprobe check` does: with everything that a rule needs.
    check = {"complete": True, **dict(example.check)}
    if leaf.optional:
        check["select"] = (leaf.card.name,)
    result = api.probe(target, check=check, **options)
    if before is not None:
        result = api.Result(against(before, result.report, complete=True))
    found = [finding for finding in result.findings if leaf.card.name in told(finding)]
    assert bool(found) is expected, [finding.message for finding in result.findings]
    places = list(places_of(result))
    assert len(places) == len(result.findings)
    for uri, line in places:
        assert uri == file.as_uri()
        assert 1 <= line <= len(file.read_text(encoding="utf-8").splitlines())


def told(finding):
    """The finding's own rule, and those whose findings became notes on it."""
    notes = (note.partition("):")[0] for note in finding.notes)
    return {finding.rule.name, *(note.rpartition(" (")[0].rpartition(" ")[2] for note in notes)}


def places_of(result):
    """Where code scanning is told that the findings stand."""
    (run,) = json.loads(result.render("sarif"))["runs"]
    for found in run["results"]:
        place = found["locations"][0]["physicalLocation"]
        yield place["artifactLocation"]["uri"], place["region"]["startLine"]
