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
    check = dict(example.check)
    if leaf.optional:
        check["select"] = (leaf.card.name,)
    result = api.probe(target, check=check, **options)
    found = [finding for finding in result.findings if finding.rule.name == leaf.card.name]
    assert bool(found) is expected, [finding.message for finding in result.findings]
