import math
from dataclasses import replace

import numpy as np
import pytest

from initprobe.check.limits import resolve
from initprobe.check.segments import Judging, first_zero, fit_segments
from initprobe.check.signals import Signals
from initprobe.records import ActivationUse, Anatomy, ParameterTrace


def segments(evidences, basis="seeds", confidence=0.95):
    return fit_segments(evidences[0].anatomy, Signals.of(evidences), Judging(resolve(), basis, confidence))


def only(evidences, **options):
    (found,) = segments(evidences, **options)
    return found


def test_a_segment_has_the_gains_of_its_stream(make):
    chain = make.chain(20)
    found = only(make.evidences(chain, make.geometric(0.9, 20), make.geometric(0.8, 20)))
    assert found.label == "block.0.linear … block.19.linear"
    assert found.sites == chain.streams[0].sites
    assert found.forward.per_layer.mean == pytest.approx(0.9, rel=1e-3)
    # The gradient falls by 0.8 from the input to the output, so it grows by 1 / 0.8 a layer on its own way.
    assert found.backward.per_layer.mean == pytest.approx(1.25, rel=1e-3)
    assert len(found.forward.per_layer.per_seed) == 5


def test_three_sites_are_no_run(make):
    assert segments(make.evidences(make.chain(3), make.geometric(0.5, 3))) == ()


def test_without_rms_there_is_no_segment(make):
    chain = make.chain(5)
    evidences = make.evidences(
        chain, make.geometric(1.0, 5), extra={k: {"rms": math.nan} for k in chain.streams[0].sites}
    )
    assert segments(evidences) == ()


def test_without_a_backward_pass_there_is_no_backward_gain(make):
    assert only(make.evidences(make.chain(8), make.geometric(1.0, 8))).backward is None


def test_sites_without_a_gradient_are_left_out(make):
    rms = make.geometric(1.0, 8)
    partly = [[None, None, *row[2:]] for row in make.geometric(2.0, 8).tolist()]
    evidences = [make.evidence(make.chain(8), rms[s], partly[s], seed=s) for s in range(5)]
    assert only(evidences).backward.per_layer.mean == pytest.approx(0.5, rel=1e-3)
    nearly_none = [[None] * 5 + row[5:] for row in make.geometric(2.0, 8).tolist()]
    assert only([make.evidence(make.chain(8), rms[s], nearly_none[s]) for s in range(5)]).backward is None


def test_values_that_are_not_finite_are_left_out_of_the_fit(make):
    rms = make.geometric(2.0, 12)
    rms[:, 9:] = np.inf
    found = only(make.evidences(make.chain(12), rms)).forward
    assert found.per_layer.mean == pytest.approx(2.0, rel=1e-3)
    assert found.drift.mean == pytest.approx(2.0**8, rel=1e-2)


def test_a_site_that_overflowed_in_part_is_left_out_too(make):
    rms = make.geometric(2.0, 12)
    rms[:, 11] = 1e-9  # what is left over of it
    extra = {"block.11.linear": {"nonfinite": 12.0}}
    found = only(make.evidences(make.chain(12), rms, extra=extra)).forward
    assert found.per_layer.mean == pytest.approx(2.0, rel=1e-3)


def test_too_few_finite_sites_are_not_judged(make):
    rms = make.geometric(2.0, 12)
    rms[:, 3:] = np.nan
    found = only(make.evidences(make.chain(12), rms)).forward
    assert found.status == "unjudged"
    assert found.reason == "only 3 of 12 sites hold finite values other than 0 in every seed"


class TestTails:
    def test_a_head_of_another_scale_is_no_drift(self, make):
        rms = make.geometric(1.0, 9)
        rms[:, 8] = 1e-6
        found = only(make.evidences(make.chain(9, head=True), rms))
        assert found.sites[-1] == "block.7.linear"
        assert found.forward.status == "pass"

    def test_a_last_layer_with_an_activation_is_no_head(self, make):
        chain = make.chain(9, head=True)
        weights = tuple(replace(weight, output_activation=ActivationUse("relu")) for weight in chain.weights)
        found = only(make.evidences(replace(chain, weights=weights), make.geometric(0.1, 9)))
        assert found.sites[-1] == "head"

    def test_a_head_counts_where_it_is_needed_for_four(self, make):
        found = only(make.evidences(make.chain(4, head=True), make.geometric(0.01, 4)))
        assert found.forward.status == "error"

    def test_a_zero_head_is_correct_and_blocks_the_gradient(self, make):
        rms, gradient = make.geometric(1.0, 9), np.zeros((5, 9))
        rms[:, 8], gradient[:, 8] = 0.0, 1.0
        found = only(make.evidences(make.chain(9, head=True), rms, gradient, zero=("head",)))
        assert found.forward.status == "pass"
        assert found.backward.status == "unjudged"
        assert (
            found.backward.reason == "the zero-initialized head.weight lets no gradient through before its first update"
        )

    def test_a_zero_tail_of_a_branch_is_correct(self, make):
        rms = make.geometric(1.0, 6)
        rms[:, 5] = 0.0
        found = only(make.evidences(make.chain(6), rms, zero=("block.5.linear",)))
        assert found.forward.status == "pass"

    def test_what_stands_behind_the_zero_end_of_a_branch_is_zero_with_it(self, make):
        """As squeeze-and-excitation behind a convolution whose gain starts at zero, in timm's NFNets."""
        chain = make.chain(8)
        end = replace(chain.weights[5], tail=True)
        gain = replace(end, name="block.5.linear.gain", role="norm", shape=(64,), tail=False)
        rms = make.geometric(1.0, 8)
        rms[:, 5:] = 0.0

        def judged(weights):
            evidences = make.evidences(replace(chain, weights=weights), rms)
            silent = [
                replace(
                    one,
                    trace=replace(
                        one.trace, parameters=(*one.trace.parameters[:-1], ParameterTrace(gain.name, {"rms": 0.0}))
                    ),
                )
                for one in evidences
            ]
            return only(silent).forward

        others = (*chain.weights[:5], *chain.weights[6:])
        assert judged((*others, end, gain)).status == "pass"
        assert judged((*others, chain.weights[5], gain)).status == "error", "no branch ends there"
        assert judged((*others, end, replace(gain, role="bias"))).status == "error", "a bias of zero is no reason"

    def test_a_branch_that_ends_in_zero_at_once_is_not_judged(self, make):
        chain = make.chain(4)
        weights = (replace(chain.weights[0], tail=True), *chain.weights[1:])
        evidences = make.evidences(replace(chain, weights=weights), np.zeros((5, 4)), zero=("block.0.linear",))
        assert only(evidences).forward.reason == "the signal is exactly 0 from its first site on"


class TestZeros:
    def test_a_signal_that_dies_is_an_error_without_an_interval(self, make):
        rms = make.geometric(1.0, 10)
        rms[:, 6:] = 0.0
        found = only(make.evidences(make.chain(10), rms, make.geometric(1.0, 10)))
        assert found.forward.status == "error"
        assert found.forward.drift.mean == 0.0
        assert found.backward.status == "unjudged"
        assert "exactly 0 from block.6.linear on" in found.backward.reason

    def test_a_signal_that_underflows_keeps_its_gain(self, make):
        rms = make.geometric(1e-5, 12)
        rms[:, 9:] = 0.0
        found = only(make.evidences(make.chain(12), rms)).forward
        assert found.status == "error"
        assert found.per_layer.mean == pytest.approx(1e-5, rel=1e-2)
        assert found.drift.mean == 0.0

    def test_one_unlucky_seed_is_a_warning(self, make):
        rms = make.geometric(1.0, 10)
        rms[3, 7:] = 0.0
        assert only(make.evidences(make.chain(10), rms)).forward.status == "warning"

    def test_a_gradient_that_dies_on_its_way_is_an_error(self, make):
        gradient = make.geometric(1.0, 10)
        gradient[:, :4] = 0.0
        assert only(make.evidences(make.chain(10), make.geometric(1.0, 10), gradient)).backward.status == "error"

    def test_a_gradient_of_nothing_but_zeros_is_not_judged(self, make):
        found = only(make.evidences(make.chain(10), make.geometric(1.0, 10), np.zeros((5, 10))))
        assert found.backward.status == "unjudged"
        assert found.backward.reason == "every gradient along it is exactly 0"

    def test_a_zero_weight_behind_the_stream_is_named(self, make):
        chain = make.chain(10)
        outside = make.chain(11, head=True)
        anatomy = Anatomy(outside.weights, outside.sites, chain.streams)
        gradient = np.zeros((5, 11))
        gradient[:, 10] = 1.0
        evidences = make.evidences(anatomy, make.geometric(1.0, 11), gradient, zero=("head",))
        assert "zero-initialized head.weight" in only(evidences).backward.reason

    def test_first_zero_is_the_earliest_over_the_seeds(self):
        rms = np.array([[1.0, 1, 0, 0], [1, 0, 0, 1], [0, 0, 1, 1]])
        assert first_zero(rms) == (1, 2)
        assert first_zero(np.ones((2, 3))) is None
        assert first_zero(np.array([[0.0, 0, 0]])) is None


class TestPairs:
    def test_only_biases_are_told_apart_from_a_signal(self, make):
        found = only(make.evidences(make.chain(20), make.geometric(0.99, 20), pair=make.geometric(0.41, 20)))
        assert found.bias_only
        assert found.pair.mean == pytest.approx(0.41, rel=1e-2)

    def test_the_rounding_floor_is_not_taken_for_a_distance(self, make):
        distance = np.maximum(make.geometric(0.41, 50), 3e-8)
        found = only(make.evidences(make.chain(50), make.geometric(0.99, 50), pair=distance))
        assert found.pair.mean == pytest.approx(0.41, rel=1e-2)
        assert found.bias_only

    def test_half_precision_has_a_higher_floor(self, make):
        distance = np.maximum(make.geometric(0.41, 50), 2e-3)
        evidences = make.evidences(make.chain(50), make.geometric(1.0, 50), pair=distance, dtype="float16")
        assert only(evidences).pair.mean == pytest.approx(0.41, rel=1e-2)

    def test_a_distance_that_settles_is_not_only_biases(self, make):
        found = only(make.evidences(make.chain(20), make.geometric(1.0, 20), pair=make.geometric(0.9, 20)))
        assert found.pair is not None
        assert not found.bias_only

    def test_a_vanishing_signal_is_not_called_biases(self, make):
        found = only(make.evidences(make.chain(20), make.geometric(0.4, 20), pair=make.geometric(0.4, 20)))
        assert not found.bias_only

    def test_without_pairs_there_is_none(self, make):
        found = only(make.evidences(make.chain(20), make.geometric(1.0, 20)))
        assert found.pair is None
        assert found.cosine is None

    def test_the_cosine_is_that_of_the_last_site(self, make):
        extra = {"block.0.linear": {"cosine": 0.0}, "block.7.linear": {"cosine": 0.5}}
        found = only(make.evidences(make.chain(8), make.geometric(1.0, 8), extra=extra))
        assert found.cosine.mean == 0.5


def test_residual_joins_grow_like_the_square_root_and_pass(make):
    joins = make.chain(100, kind="residual")
    rms = np.sqrt(1.0 + np.arange(100)) * np.linspace(0.99, 1.01, 5)[:, None]
    found = only(make.evidences(joins, rms, 1 / rms))
    assert (found.kind, found.forward.status, found.backward.status) == ("residual", "pass", "pass")
    doubling = only(make.evidences(joins, make.geometric(2**0.5, 100)))
    assert doubling.forward.status == "error"


def test_a_site_that_one_seed_never_reached_is_left_out(make):
    evidences = make.evidences(make.chain(8), make.geometric(0.5, 8), make.geometric(0.5, 8))
    shorter = replace(evidences[2].trace, sites=evidences[2].trace.sites[:-1])
    evidences[2] = replace(evidences[2], trace=shorter)
    found = only(evidences)
    assert found.forward.drift.mean == pytest.approx(0.5**6, rel=1e-2)
    assert found.backward.per_layer.mean == pytest.approx(2.0, rel=1e-2)


def test_one_draw_is_judged_over_its_layers(make):
    rms = make.finite_width(np.random.default_rng(0), 50, 64, 1, log_gain=math.log(0.7))
    found = only(make.evidences(make.chain(50), rms), basis="layers").forward
    assert found.basis == "layers"
    assert found.status == "error"
    assert found.per_layer.low < found.per_layer.mean < found.per_layer.high
