"""What is written beside a layer: in a spec, or in a comment on the line that builds it."""

from __future__ import annotations

from dataclasses import replace

import pytest

import initprobe as ip
from initprobe.check.ignores import ignores_of
from initprobe.check.places import Place, of_module, of_site
from initprobe.check.policy import Ignore, Policy
from initprobe.errors import SpecError
from initprobe.records import CheckRequest, LayerIgnore, Location, RuleCard, Site, Weight, remark_on

DEAD = RuleCard("IP301", "dead-units", "warning", "high", "silent")


@pytest.mark.parametrize(
    ("line", "above", "remark"),
    [
        ("relu = nn.ReLU()  # initprobe: ignore[dead-units] a gate ", "", "ignore[dead-units] a gate"),
        ("relu = nn.ReLU()", "    # initprobe: ignore[IP301]", "ignore[IP301]"),
        ("relu = nn.ReLU()", "x = 1  # initprobe: ignore[IP301]", ""),
        ("relu = nn.ReLU()  #initprobe:ignore[a]", "# initprobe: ignore[b]", "ignore[a]"),
        ("relu = nn.ReLU()  # initprobe:", "", ""),
        ("relu = nn.ReLU()", "", ""),
    ],
)
def test_a_comment_stands_on_the_line_or_alone_above_it(line, above, remark):
    assert remark_on(line, above) == remark


def place(line, remark):
    return Location("net.py", line, remark=remark)


def test_a_comment_holds_for_every_layer_of_its_line_and_for_what_is_in_it():
    where = place(3, "ignore[dead-units, IP103]: a gate")
    sites = [Site("a", "a", 0, "Block", location=where), Site("b", "b", 1, "Block", location=where)]
    first, second = ignores_of(CheckRequest(), sites, [])
    assert (first.codes, second.codes) == ({"IP301"}, {"IP103"})
    assert first.told == "ignored at net.py:3 (a gate)"
    assert [first.covers(of_module(path)) for path in ("a", "b.relu", "c", "ab")] == [True, True, False, False]
    assert first.covers(of_site(Site("b/add", "b", 2, "Block", operation="add")))


def test_a_comment_on_an_operation_holds_for_that_operation():
    site = Site("net/relu", "net", 0, "Net", location=place(9, "ignore[IP301]"), operation="relu")
    (one,) = ignores_of(CheckRequest(), [site], [])
    assert one.covers(of_site(site))
    assert [one.covers(of_module(path)) for path in ("net", "net.head")] == [False, False]
    assert not one.covers(of_site(replace(site, key="net/add", operation="add")))
    assert one.told == "ignored at net.py:9 (no reason given)"


def test_a_weight_that_no_site_shows_knows_its_line_too():
    weight = Weight("gate.weight", "gate", "Linear", "linear", (2, 2), location=place(5, "ignore[no-gradient] frozen"))
    assert ignores_of(CheckRequest(), [], [weight])[0].covers(of_module("gate"))


def test_a_finding_over_layers_counts_unless_all_of_them_ignore_it():
    policy = Policy(
        layer_ignores=(("stem*", frozenset({"IP301"})),),
        ignores=(Ignore("IP301", frozenset({"IP301"}), "a gate", place(4, ""), globs=("block.*",)),),
    )
    stem, block, head = map(of_module, ("stem", "block.0", "head"))
    both = "layer_ignores: stem*, ignored at net.py:4 (a gate)"
    assert policy.suppression(DEAD, [stem, block]) == both
    assert policy.suppression(DEAD, [stem, block, head]) is None
    assert policy.suppression(DEAD, [Place("stem.conv", "stem.conv/add", operation=True)]) == "layer_ignores: stem*"
    assert policy.suppression(DEAD, []) is None
    assert policy.partly(DEAD, [stem, block, head]) == f"{both} at 2 of 3 places: it counts until all of them ignore it"
    assert policy.partly(DEAD, [stem, block]) is None
    assert policy.partly(DEAD, [head]) is None


def test_every_ignore_that_holds_somewhere_is_named():
    inner = Ignore("IP301", frozenset({"IP301"}), "a gate", place(4, ""), places=frozenset({"block.0"}))
    outer = Ignore("IP301", frozenset({"IP301"}), "all gates", place(2, ""), places=frozenset({"block"}))
    policy = Policy(layer_ignores=(("*", frozenset({"IP301"})),), ignores=(inner, outer))
    told = "layer_ignores: *, ignored at net.py:4 (a gate), ignored at net.py:2 (all gates)"
    assert policy.suppression(DEAD, [of_module("block.0.relu")]) == told


def test_what_cannot_be_read_ignores_nothing_and_is_kept_to_be_told():
    sites = [
        Site("a", "a", 0, "A", location=place(1, "ignore[dead-unit] x")),
        Site("b", "b", 1, "B", location=place(2, "ignore dead-units")),
    ]
    misspelt, unreadable = ignores_of(CheckRequest(), sites, [])
    assert (misspelt.rule, misspelt.codes) == ("dead-unit", frozenset())
    assert (unreadable.rule, unreadable.codes) == ("ignore dead-units", frozenset())


def test_a_spec_s_ignore_keeps_its_reason_and_its_place():
    one = LayerIgnore(("relu", "relu.*"), "units", "on purpose", Location("net.yaml", 7))
    (found,) = ignores_of(CheckRequest(ignores=(one,)), [], [])
    assert {"IP301", "IP303"} <= found.codes
    assert found.told == "ignored at net.yaml:7 (on purpose)"


SPEC = """\
version: 1
model:
  input: {shape: [64]}
  layers:
    - {type: linear, out: 64}
    # initprobe: ignore[dead-units] asleep on purpose
    - {type: relu, name: first}
    - {type: linear, out: 64}
    - {type: relu, name: second}  # initprobe: ignore[IP301] as above
    - {type: linear, out: 64}
    - {type: relu, name: third, ignore: [{rule: dead-units, reason: a third one}]}
    - {type: linear, out: 64}
    - {type: relu, name: fourth}
init:
  default: kaiming_normal
  overrides: [{match: "linear*.bias", scheme: {scheme: constant, value: -9.0}}]
check: {thresholds: {dead_units: {fraction: 0.01}}}
"""


def test_a_spec_is_read_with_its_comments(tmp_path):
    (tmp_path / "net.yaml").write_text(SPEC)
    found = [one for one in ip.probe(str(tmp_path / "net.yaml"), seeds=2).findings if one.rule.name == "dead-units"]
    assert {one.sites: one.suppressed for one in found} == {
        ("first",): f"ignored at {tmp_path}/net.yaml:7 (asleep on purpose)",
        ("second",): f"ignored at {tmp_path}/net.yaml:9 (as above)",
        ("third",): f"ignored at {tmp_path}/net.yaml:11 (a third one)",
        ("fourth",): None,
    }


def test_a_spec_that_ignores_what_is_no_rule_is_told_where(tmp_path):
    (tmp_path / "net.yaml").write_text(SPEC.replace("{rule: dead-units", "{rule: dead-unit"))
    with pytest.raises(SpecError) as caught:
        ip.probe(str(tmp_path / "net.yaml"))
    assert "net.yaml:11:" in caught.value.render()
    assert "did you mean 'dead-units'?" in caught.value.render()
