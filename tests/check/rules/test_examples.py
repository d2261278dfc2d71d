"""Every example of every rule, probed as a user would: the good ones stay silent, the bad ones are found."""

import pytest

from initprobe import api
from initprobe.check.rules.base import RULES

CASES = [
    pytest.param(leaf, example, expected, id=f"{leaf.card.name}-{kind}-{number}")
    for leaf in RULES.values()
    for kind, examples, expected in (("good", leaf.good, False), ("bad", leaf.bad, True))
    for number, example in enumerate(examples)
]


@pytest.mark.parametrize(("leaf", "example", "expected"), CASES)
def test_example(leaf, example, expected, tmp_path):
    file = tmp_path / ("net.yaml" if example.language == "yaml" else "net.py")
    file.write_text(example.text, encoding="utf-8")
    target = str(file) if example.language == "yaml" else f"{file}:build"
    options = dict(example.options)
    if example.scheme is not None:
        options["scheme"] = example.scheme
    # As `initprobe check` does: with everything that a rule needs.
    result = api.probe(target, check={"complete": True, **dict(options.pop("check", {}))}, **options)
    found = [finding for finding in result.findings if leaf.card.name in told(finding)]
    assert bool(found) is expected, [finding.message for finding in result.findings]


def told(finding):
    """The finding's own rule, and those whose findings became notes on it."""
    notes = (note.partition("):")[0] for note in finding.notes)
    return {finding.rule.name, *(note.rpartition(" (")[0].rpartition(" ")[2] for note in notes)}
