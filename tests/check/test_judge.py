import math
from dataclasses import replace

import numpy as np
import pytest

from initprobe.check.judge import needed, validate
from initprobe.check.looks import LookPlan
from initprobe.check.rules.base import RULES
from initprobe.errors import NothingToProbeError, UsageError
from initprobe.records import WEIGHT_GRADIENTS, CheckRequest, Judgement, NeedSeeds

DEPTH = 20
PLAN = LookPlan(5, 32)


def spread(make, low, high, seeds=5, depth=DEPTH):
    """RMS whose log drifts over the run lie evenly between two powers of ten."""
    drifts = np.linspace(low, high, seeds)[:, None] * math.log(10)
    return np.exp(drifts * np.linspace(0, 1, depth))


def codes(judgement):
    return [(finding.rule.code, finding.severity) for finding in judgement.findings]


def test_a_healthy_chain_passes(make):
    found = make.judge(make.evidences(make.chain(DEPTH), spread(make, -0.1, 0.1), spread(make, -0.1, 0.1)))
    assert found == Judgement("pass", (), found.segments, ())


@pytest.mark.parametrize(
    ("decades", "expected"),
    [
        (-5.0, [("IP101", "error")]),
        (-2.0, [("IP101", "warning")]),
        (5.0, [("IP102", "error")]),
        (2.0, [("IP102", "warning")]),
    ],
)
def test_forward_drift_is_found_by_its_side_and_its_size(make, decades, expected):
    evidences = make.evidences(make.chain(DEPTH), spread(make, decades - 0.1, decades + 0.1))
    found = make.judge(evidences)
    assert codes(found) == expected
    assert found.verdict == ("fail" if expected[0][1] == "error" else "pass")


@pytest.mark.parametrize(("decades", "code"), [(-5.0, "IP202"), (5.0, "IP201")])
def test_backward_drift_is_counted_from_the_output(make, decades, code):
    gradients = spread(make, decades - 0.1, decades + 0.1)
    found = make.judge(make.evidences(make.chain(DEPTH), spread(make, -0.1, 0.1), gradients))
    assert codes(found) == [(code, "error")]
    assert found.findings[0].sites[0] == "block.19.linear"


class TestSeeds:
    def test_an_open_drift_asks_for_seeds_look_by_look(self, make):
        chain = make.chain(DEPTH)
        for seeds, answer in ((5, 8), (8, 16), (16, 32)):
            evidences = make.evidences(chain, spread(make, -3, 1, seeds))
            assert make.judge(evidences, planned=PLAN) == NeedSeeds(answer)

    def test_a_warning_that_could_be_an_error_asks_too(self, make):
        evidences = make.evidences(make.chain(DEPTH), spread(make, -3.4, -2.5))
        assert make.judge(evidences, planned=PLAN) == NeedSeeds(8)
        found = make.judge(evidences)
        assert codes(found) == [("IP101", "warning"), ("IP006", "info")]
        assert found.verdict == "inconclusive"

    def test_a_decided_drift_does_not_ask(self, make):
        evidences = make.evidences(make.chain(DEPTH), spread(make, -6, -5.5))
        assert isinstance(make.judge(evidences, planned=PLAN), Judgement)

    @pytest.mark.parametrize(
        "request_",
        [
            {"ignore": ("IP101",)},
            {"select": ("IP102", "IP2", "IP006")},
            {"layer_ignores": (("block.*", ("forward",)),)},
            {"severities": (("IP101", "warning"),)},
        ],
        ids=["ignored", "not selected", "ignored at every layer", "one severity either way"],
    )
    def test_it_does_not_ask_where_no_selected_rule_would_change(self, make, request_):
        evidences = make.evidences(make.chain(DEPTH), spread(make, -3.4, -2.5))
        assert isinstance(make.judge(evidences, planned=PLAN, **request_), Judgement)

    def test_more_looks_need_a_wider_interval(self, make):
        chain, rms = make.chain(DEPTH), spread(make, -1.2, -0.4)
        once = make.judge(make.evidences(chain, rms), planned=LookPlan(5, 5)).segments[0].forward
        answer = make.judge(make.evidences(chain, rms), planned=LookPlan(5, 8))
        assert answer == NeedSeeds(8)
        twice = make.judge(make.evidences(chain, spread(make, -1.2, -0.4, 8)), planned=LookPlan(5, 8)).segments[0]
        assert (once.confidence, twice.forward.confidence) == (0.95, 0.975)

    def test_one_draw_never_asks(self, make):
        rms = make.finite_width(np.random.default_rng(0), 50, 32, 1)
        found = make.judge(make.evidences(make.chain(50, units=32), rms), one_draw=True, planned=PLAN)
        assert isinstance(found, Judgement)
        assert found.segments[0].forward.basis == "layers"
        assert found.segments[0].forward.confidence == 0.95

    def test_a_single_seed_is_read_over_its_layers_and_then_over_more_seeds(self, make):
        rms = make.finite_width(np.random.default_rng(0), 50, 32, 1)
        chain = make.chain(50, units=32)
        assert make.judge(make.evidences(chain, rms), planned=LookPlan(1, 8)) == NeedSeeds(8)
        shrinking = make.evidences(chain, make.geometric(0.5, 50, seeds=1))
        assert make.judge(shrinking, planned=LookPlan(1, 8)).verdict == "fail"


class TestVerdict:
    def test_an_open_warning_leaves_a_check_for_errors_a_pass_but_tells(self, make):
        found = make.judge(make.evidences(make.chain(DEPTH), spread(make, -1.4, -0.7)))
        assert codes(found) == [("IP006", "info")]
        assert found.verdict == "pass"
        assert "vanishing-forward cannot be decided" in found.findings[0].message
        assert "seeds would settle it: --max-seeds" in found.findings[0].notes[0]

    def test_the_same_is_inconclusive_for_a_check_that_fails_on_warnings(self, make):
        evidences = make.evidences(make.chain(DEPTH), spread(make, -1.4, -0.6))
        assert make.judge(evidences, fail_on="warning").verdict == "inconclusive"
        assert make.judge(evidences, fail_on="info").verdict == "fail"

    def test_what_could_be_an_error_is_inconclusive(self, make):
        found = make.judge(make.evidences(make.chain(DEPTH), spread(make, -4, 0)))
        assert found.verdict == "inconclusive"
        assert codes(found) == [("IP006", "info")]
        assert "×10 (warning) and ×1000 (error)" in found.findings[0].message

    def test_strict_makes_an_open_drift_an_error(self, make):
        evidences = make.evidences(make.chain(DEPTH), spread(make, -1.4, -0.6))
        found = make.judge(evidences, strict=True)
        assert codes(found) == [("IP006", "error")]
        assert found.verdict == "fail"

    def test_strict_fails_what_could_be_an_error_even_untold(self, make):
        evidences = make.evidences(make.chain(DEPTH), spread(make, -4, 0))
        found = make.judge(evidences, strict=True, ignore=("IP006",))
        assert found.verdict == "fail"
        assert found.notes[0].startswith("vanishing-forward stays undecided for block.0.linear … block.19.linear")

    def test_an_interval_that_reaches_to_both_sides_is_told_for_both(self, make):
        found = make.judge(make.evidences(make.chain(DEPTH), spread(make, -4, 4)))
        assert [finding.message.split()[0] for finding in found.findings] == ["vanishing-forward", "exploding-forward"]

    def test_never_never_fails(self, make):
        evidences = make.evidences(make.chain(DEPTH), spread(make, -6, -5.5))
        assert make.judge(evidences, fail_on="never").verdict == "pass"

    def test_a_warning_fails_only_where_it_is_asked_to(self, make):
        evidences = make.evidences(make.chain(DEPTH), spread(make, -2.1, -1.9))
        assert make.judge(evidences, fail_on="error").verdict == "pass"
        assert make.judge(evidences, fail_on="warning").verdict == "fail"

    def test_what_is_suppressed_is_kept_and_does_not_count(self, make):
        evidences = make.evidences(make.chain(DEPTH), spread(make, -6, -5.5))
        found = make.judge(evidences, layer_ignores=(("block.*", ("vanishing-forward",)),))
        assert found.verdict == "pass"
        assert found.findings[0].suppressed == "layer_ignores: block.*"

    def test_thresholds_move_the_limits(self, make):
        evidences = make.evidences(make.chain(DEPTH), spread(make, -6.1, -5.9))
        lenient = make.judge(evidences, thresholds=(("forward_drift.error", 1e8), ("forward_drift.warning", 1e7)))
        assert codes(lenient) == []

    def test_the_most_severe_finding_comes_first_and_the_suppressed_last(self, make):
        chain = make.chain(DEPTH)
        evidences = make.evidences(chain, spread(make, -2.1, -1.9), spread(make, 5.9, 6.1))
        assert codes(make.judge(evidences)) == [("IP201", "error"), ("IP101", "warning")]
        hidden = make.judge(evidences, layer_ignores=(("*", ("IP201",)),))
        assert codes(hidden) == [("IP101", "warning"), ("IP201", "error")]


class TestNotes:
    def test_a_signal_of_biases_is_told(self, make):
        pair = make.geometric(0.41, DEPTH, noise=0)
        found = make.judge(make.evidences(make.chain(DEPTH), make.geometric(0.987, DEPTH, noise=0), pair=pair))
        assert found.verdict == "pass"
        (note,) = found.notes
        assert note == (
            "the forward signal of block.0.linear … block.19.linear is only the biases: RMS keeps (0.987 per layer) "
            "while the distance between two inputs falls ×0.410 per layer"
        )

    def test_what_is_not_judged_is_told_with_its_reason(self, make):
        evidences = make.evidences(make.chain(DEPTH), spread(make, -0.1, 0.1), np.zeros((5, DEPTH)))
        (note,) = make.judge(evidences).notes
        assert note.startswith("the backward gain of block.0.linear … block.19.linear is not judged: every gradient")


class TestRequests:
    def test_nothing_measured_is_nothing_to_probe(self, make):
        (evidence,) = make.evidences(make.chain(4), make.geometric(1.0, 4, seeds=1))
        empty = replace(evidence, trace=replace(evidence.trace, sites=()))
        for evidences in ([], [empty], [empty, empty]):
            with pytest.raises(NothingToProbeError):
                make.judge(evidences)

    def test_a_shallow_net_is_judged_by_the_other_rules(self, make):
        extra = {"block.1.linear": {"nonfinite": 3.0}}
        found = make.judge(make.evidences(make.chain(2), make.geometric(1.0, 2), extra=extra))
        assert codes(found) == [("IP103", "error")]
        assert found.segments == ()

    @pytest.mark.parametrize(
        "bad", [{"select": ("nope",)}, {"thresholds": (("nope", 1.0),)}, {"ignore": ("ALL",)}], ids=str
    )
    def test_a_bad_request_is_rejected_before_anything_is_measured(self, bad):
        with pytest.raises(UsageError):
            validate(CheckRequest(**bad))
        validate(CheckRequest())

    def test_the_judge_is_a_pure_function(self, make):
        evidences = make.evidences(make.chain(DEPTH), spread(make, -4, 0), spread(make, -4, 0))
        assert make.judge(evidences) == make.judge(list(evidences))


class TestNeeds:
    """What a selected rule reads beyond the core statistics is measured for it."""

    @pytest.fixture
    def hungry(self, monkeypatch):
        leaf = replace(RULES["dead-units"], needs=("exponents", WEIGHT_GRADIENTS))
        monkeypatch.setitem(RULES._leaves, "dead-units", leaf)

    @pytest.mark.usefixtures("hungry")
    def test_a_rule_that_is_not_selected_needs_nothing(self):
        assert "exponents" not in needed(CheckRequest(ignore=("dead-units",), complete=True))
        assert needed(CheckRequest(select=("IP101",), complete=True)) == ()

    @pytest.mark.usefixtures("hungry")
    def test_the_gradients_of_weights_are_measured_only_for_a_verdict_that_is_acted_on(self):
        assert needed(CheckRequest(select=("IP301",))) == ("exponents",)
        assert needed(CheckRequest(select=("IP301",), complete=True)) == ("exponents", WEIGHT_GRADIENTS)
