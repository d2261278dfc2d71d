"""What is worth a probe."""

from dataclasses import replace

import pytest

from initprobe.records import InitRequest, Override, SchemeChoice
from initprobe.search.candidates import LAST, MOST, candidates
from initprobe.search.change import shell_pattern


def summaries(entry):
    return [one.summary for one in candidates(entry)]


def test_the_recommended_scheme_comes_first_and_the_one_that_looks_at_data_last(probed):
    found = candidates(probed("vanishing")[1])
    assert found[0].summary == "init.default: kaiming_normal"
    assert "chi_1" in found[0].reason
    assert found[-1].init.default == SchemeChoice(LAST)
    assert [one.size for one in found] == [2] * (len(found) - 1) + [3]
    assert len(found) <= MOST


def test_what_is_there_already_is_no_candidate(probed):
    entry = probed("vanishing")[1]
    he = replace(entry, request=replace(entry.request, init=InitRequest(SchemeChoice("kaiming_normal"))))
    assert "init.default: kaiming_normal" not in summaries(he)


def test_a_single_weight_that_is_off_is_drawn_alone(probed):
    first = candidates(probed("odd")[1])[0]
    assert first.summary == 'init.overrides: {match: "10.weight", scheme: variance_scaling}'
    assert first.size == 1
    assert first.init.default is None


def test_biases_as_large_as_the_signal_become_zero(probed):
    first = candidates(probed("dead")[1])[0]
    assert first.summary == 'init.overrides: {match: "*.bias", scheme: zeros}'


def test_an_override_that_is_there_gets_another_scheme(probed):
    spread = Override(SchemeChoice("normal", (("std", 3.0),)), glob="0.weight")
    wrong = Override(SchemeChoice("constant", (("value", -4.0),)), glob="*.bias")
    entry = probed("healthy", InitRequest(SchemeChoice("kaiming_normal"), (spread, wrong)))[1]
    init = entry.request.init
    found = [one.init for one in candidates(entry) if len(one.init.overrides) == 2 and one.init.default == init.default]
    kept = replace(spread, scheme=SchemeChoice("kaiming_normal"))
    zeros = replace(wrong, scheme=SchemeChoice("zeros"))
    assert replace(init, overrides=(kept, wrong)) in found
    assert replace(init, overrides=(spread, zeros)) in found


def test_residual_networks_get_schemes_for_branches(probed):
    assert {"init.default: fixup", "init.default: zero_init_residual"} <= set(summaries(probed("residual")[1]))


@pytest.mark.parametrize(
    ("names", "others", "pattern"),
    [
        (["a.0.w", "a.7.w"], ["a.0.w", "a.7.w", "a.0.b"], "a.*.w"),
        (["a.0.w"], ["a.0.w", "a.7.w"], "a.0.w"),
        (["a.0.w", "a.7.w"], ["a.0.w", "a.7.w", "a.8.w"], None),
        (["a.0.w", "b.0.w"], ["a.0.w", "b.0.w"], None),
        (["a[0]"], ["a[0]"], None),
    ],
)
def test_one_pattern_for_several_names(names, others, pattern):
    assert shell_pattern(names, others) == pattern
