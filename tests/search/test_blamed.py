"""Findings that name parameters get changes of these alone."""

from dataclasses import replace

import pytest

from initprobe.check.rules.base import RULES
from initprobe.records import Finding, InitRequest, Override, SchemeChoice
from initprobe.search.blamed import MOST, blamed, parameters_of
from initprobe.search.suggest import healable, out_of_scope, suggest

CARDS = {leaf.card.code: leaf.card for leaf in RULES.values()}
FIRST, LAST = ([f"blocks.{index}.{name}.weight" for index in range(8)] for name in ("first", "last"))
WIDE = 3.0 / 24**0.5
"""The standard deviation of every weight in the blocks."""


def finding(code, *names, sites=(), severity="warning"):
    return Finding(CARDS[code], severity, "", sites=sites, parameters=names)


@pytest.fixture
def entry(probed):
    return probed("residual")[1]


def changes(entry, *findings):
    """What is drawn anew, one dict for each candidate: pattern, and scheme."""
    return [{one.glob: one.scheme for one in found.init.overrides} for found in blamed(entry, findings)]


def std_of(choice):
    assert choice.name == "normal"
    return dict(choice.options)["std"]


def test_copies_are_drawn_apart_as_wide_as_they_are(entry):
    ((change),) = changes(entry, finding("IP502", *FIRST, *LAST))
    assert list(change) == ["blocks.*.first.weight", "blocks.*.last.weight"]
    assert std_of(change["blocks.*.first.weight"]) == pytest.approx(WIDE, rel=0.03)


def test_ends_of_branches_are_divided_by_the_root_of_their_number(entry):
    ((change),) = changes(entry, finding("IP509", *LAST))
    assert std_of(change["blocks.*.last.weight"]) == pytest.approx(WIDE / 8**0.5, rel=0.03)


def test_an_odd_layer_becomes_as_wide_as_its_kind(entry):
    ((change),) = changes(entry, finding("IP507", FIRST[3]))
    assert std_of(change[FIRST[3]]) == pytest.approx(WIDE, rel=0.03)


def test_of_two_zeros_in_a_row_one_is_drawn(entry):
    own = SchemeChoice("variance_scaling")
    assert changes(entry, finding("IP508", *FIRST, *LAST)) == [
        {"blocks.*.first.weight": own},
        {"blocks.*.last.weight": own},  # both of them are no small change any more
    ]


@pytest.mark.parametrize(
    ("role", "scheme"),
    [
        ("linear", SchemeChoice("variance_scaling")),
        ("bias", SchemeChoice("zeros")),
        ("norm", SchemeChoice("torch_default")),
        ("gate", SchemeChoice("constant", (("value", 1.0),))),
        ("embedding", SchemeChoice("normal", (("std", 1.0),))),
    ],
)
def test_what_was_never_drawn_becomes_what_its_role_starts_with(entry, role, scheme):
    name = "blocks.0.first.bias"
    weights = [
        replace(one, weight=replace(one.weight, role=role)) if one.weight.name == name else one for one in entry.weights
    ]
    assert changes(replace(entry, weights=tuple(weights)), finding("IP501", name)) == [{name: scheme}]


def test_layers_stand_for_their_weights(entry):
    own = SchemeChoice("variance_scaling")
    assert changes(entry, finding("IP503", sites=("blocks.0.first",))) == [{FIRST[0]: own}]
    assert changes(entry, finding("IP510", sites=("blocks.0.first",))) == [
        {"blocks.0.first.bias": SchemeChoice("zeros")}
    ]


def test_what_is_said_of_the_output_is_about_the_head(entry):
    found = finding("IP703")
    assert [one.weight.name for one in parameters_of(entry, found)] == ["head.weight"]
    assert changes(entry, found) == [
        {"head.weight": SchemeChoice("variance_scaling")},
        {"head.weight": SchemeChoice("zeros")},
    ]


def test_parameters_that_no_pattern_tells_apart_are_named_if_they_are_few(entry):
    (few,) = changes(entry, finding("IP502", *FIRST[:2]))
    assert list(few) == FIRST[:2]
    assert changes(entry, finding("IP502", *FIRST[: MOST + 1])) == []


def test_ends_of_a_truncated_normal_that_cut_nothing_off_go(entry):
    wide = SchemeChoice("truncated_normal", (("std", 0.02), ("a", -100.0), ("b", 100.0)))
    cut = SchemeChoice("truncated_normal", (("std", 0.02),))
    init = InitRequest(wide, (Override(wide, glob="head"),))
    entry = replace(entry, request=replace(entry.request, init=init))
    found = [one.init for one in blamed(entry, [finding("IP512")])]
    assert found == [replace(init, default=cut), replace(init, overrides=(Override(cut, glob="head"),))]


def test_a_buffer_is_drawn_by_nobody(entry):
    assert healable(replace(entry, findings=(finding("IP501", "running_mean"),))) == ()
    assert healable(replace(entry, findings=(finding("IP501", "head.weight", "running_mean"),)))


def test_infos_are_healed_for_whoever_asks(probed):
    target, entry = probed("hidden")
    assert {one.severity for one in entry.findings} == {"info"}
    assert out_of_scope(entry) is not None
    found = suggest(target, entry, infos=True)
    assert found.settled
    assert found.entries[0].scheme.startswith('init.overrides: {match: "15.weight", scheme: {scheme: normal, ')
    assert next(one for one in found.before.findings if one.rule.code == "IP507").fix.verified
