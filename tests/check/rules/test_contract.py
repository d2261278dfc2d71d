"""What every rule keeps, found through the registry."""

import ast
import re
import sys

import pytest

from initprobe.check.case import Case, Facts
from initprobe.check.limits import resolve, table
from initprobe.check.rules.base import FAMILIES, RULES, cards, rule
from initprobe.check.signals import Signals
from initprobe.records import SEVERITIES, Anatomy, Evidence, Trace

SECTIONS = ("What it does:", "Why is this bad:", "Not a problem when:", "Options:", "References:")
OURS = [each for each in RULES.values() if sys.modules[each.find.__module__].__name__.startswith("initprobe.")]
every_rule = pytest.mark.parametrize("leaf", OURS, ids=lambda leaf: leaf.card.name)


@every_rule
def test_the_file_is_called_after_code_and_name(leaf):
    stem = leaf.find.__module__.rpartition(".")[2]
    words = leaf.card.name.replace("non-finite", "nonfinite").replace("-", "_")
    assert stem == f"{leaf.card.code.lower()}_{words}"


@every_rule
def test_the_card_is_complete(leaf):
    assert re.fullmatch(r"IP[0-9R]\d{2}", leaf.card.code)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", leaf.card.name)
    assert leaf.family == FAMILIES[leaf.card.code[:3]]
    assert leaf.card.severity in SEVERITIES
    assert leaf.card.confidence in ("certain", "high", "heuristic")
    assert leaf.card.summary.endswith(".")
    assert RULES[leaf.card.code] is RULES[leaf.card.name] is leaf


@every_rule
def test_the_docstring_documents_the_rule_to_users(leaf):
    positions = [leaf.doc.find(f"\n{section}\n") for section in SECTIONS]
    assert -1 not in positions
    assert positions == sorted(positions)
    for section in leaf.doc.split("\n\n")[1:]:
        assert len(section.split("\n", 1)[1].strip()) > 4


@every_rule
def test_documented_thresholds_exist_with_their_defaults(leaf):
    defaults = {threshold.key: threshold.default for threshold in table()}
    for key, value in re.findall(r"thresholds\.([a-z_.]+[a-z]) \(([^)]+)\)", leaf.doc):
        assert defaults[key] == float(value)


@every_rule
def test_there_is_a_good_and_a_bad_example_and_both_can_be_read(leaf):
    assert leaf.good
    assert leaf.bad
    for example in (*leaf.good, *leaf.bad):
        assert example.text.endswith("\n")
        assert bool(example.earlier) == leaf.compares
        if example.language == "python":
            functions = [node.name for node in ast.walk(ast.parse(example.text)) if isinstance(node, ast.FunctionDef)]
            assert "build" in functions
        else:
            assert example.text.startswith("version: 1\n")


@every_rule
def test_what_a_rule_follows_exists(leaf):
    assert all(name in RULES and name != leaf.card.name for name in leaf.follows)


@every_rule
def test_a_rule_is_silent_where_nothing_was_measured(leaf):
    nothing = Evidence(Anatomy((), (), ()), Trace(0, ()))
    facts = Facts((nothing,), nothing.anatomy, Signals.of([nothing]), thresholds=resolve())
    assert list(leaf.find(Case(facts, leaf.card))) == []


@every_rule
@pytest.mark.parametrize("statistics", [{}, {"rms": 1.0}], ids=["no statistic", "only the rms"])
def test_a_rule_is_silent_about_a_healthy_net_and_about_statistics_that_are_absent(make, leaf, statistics):
    chain = make.chain(6, activations=True)
    (evidence,) = make.evidences(chain, make.geometric(1.0, 6, seeds=1))
    sites = tuple(
        type(site)(site.key, site.shape, site.dtype, dict(statistics), dict(statistics))
        for site in evidence.trace.sites
    )
    bare = Evidence(chain, Trace(0, sites))
    facts = Facts((bare,), chain, Signals.of([bare]), thresholds=resolve())
    assert list(leaf.find(Case(facts, leaf.card))) == []


def test_cards_come_in_the_order_of_their_codes():
    codes = [card.code for card in cards()]
    assert codes == sorted(codes)
    assert len(codes) == len(RULES)


@pytest.mark.parametrize(("code", "family"), [("IP1", "forward"), ("IP1010", "forward"), ("IP101", "backward")])
def test_a_code_of_another_family_is_rejected(code, family):
    with pytest.raises(ValueError, match="is not one of family"):
        rule(code, "some-rule", family, "error", "high", good=(), bad=())


def test_a_rule_without_documentation_is_rejected():
    with pytest.raises(ValueError, match="no docstring"):
        rule("IP199", "some-rule", "forward", "error", "high", good=(), bad=())(lambda case: iter(()))
    assert "some-rule" not in RULES
