"""IP701, IP702 and IP703 on records written by hand."""

import math

import numpy as np
import pytest

from initprobe.records import OutputTrace

DEPTH = 5
OUTPUT = ("IP701", "IP702", "IP703")


def judged(make, outputs, **options):
    chain, rms = make.chain(DEPTH), np.ones(DEPTH)
    evidences = [make.evidence(chain, rms, seed=seed, output=output) for seed, output in enumerate(outputs)]
    return [one for one in make.judge(evidences, **options).findings if one.rule.code in OUTPUT]


def logits(entropy, spread, *, classes=10, loss=None, site="block.4.linear"):
    return OutputTrace(loss, None if loss is None else math.log(classes), site, classes, {
        "class_entropy": entropy, "class_spread": spread,
    })  # fmt: skip


def jittered(value, seeds=5):
    return [value * (1 + 0.01 * seed) for seed in range(seeds)]


def test_a_loss_far_above_chance_names_both(make):
    outputs = [OutputTrace(loss, math.log(2), "block.4.linear") for loss in jittered(2.0)]
    (found,) = judged(make, outputs)
    assert found.message == ("the loss is 2.04 before the first update; a constant guess among 2 answers gets 0.693")
    assert found.sites == ("block.4.linear",)
    assert found.measured == "×2.94 of chance, 5 seeds; warning beyond ×2"
    assert judged(make, outputs, thresholds=(("loss_from_chance.factor", 4.0),)) == []


@pytest.mark.parametrize(
    ("loss", "chance"), [(0.7, math.log(2)), (0.01, math.log(2)), (1.3, math.log(2)), (500.0, None), (None, None)]
)
def test_a_loss_at_or_below_chance_or_of_another_kind_is_no_fault(make, loss, chance):
    assert judged(make, [OutputTrace(loss, chance)] * 5) == []


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_for_others_to_tell(make, loss):
    assert judged(make, [OutputTrace(loss, math.log(2))] * 5) == []


def test_one_seed_of_five_is_not_enough(make):
    assert judged(make, [OutputTrace(loss, math.log(2)) for loss in (0.7, 0.7, 0.7, 0.7, 40.0)]) == []


def test_a_softmax_that_has_decided_is_told_and_explains_the_loss(make):
    (found,) = judged(make, [logits(one, 9.0, loss=14.0) for one in jittered(0.1)])
    assert found.rule.code == "IP703"
    assert found.message == "the softmax over 10 classes has decided already: its entropy is 10 % of ln 10"
    assert found.sites == ("block.4.linear",)
    assert any("loss-far-from-chance" in note for note in found.notes)


@pytest.mark.parametrize("entropy", [0.45, 0.72, 1.0, math.nan])
def test_a_softmax_that_is_open_is_not(make, entropy):
    assert judged(make, [logits(entropy, 1.4)] * 5) == []


def test_a_softmax_that_is_left_few_classes_by_a_mask_is_not(make):
    assert judged(make, [logits(0.1, math.nan)] * 5) == []


def test_logits_that_tie_are_told_and_those_of_a_zero_head_are_not(make):
    (found,) = judged(make, [logits(1.0, one) for one in jittered(1e-4)])
    assert (found.rule.code, found.severity) == ("IP702", "info")
    assert found.message.startswith("the logits of 10 classes differ by 1.0e-04")
    assert judged(make, [logits(1.0, 0.0)] * 5) == []
    assert judged(make, [logits(1.0, 0.01)] * 5) == []


def test_a_site_that_nobody_knows_leaves_the_finding_without_one(make):
    (found,) = judged(make, [logits(0.1, 9.0, site="elsewhere")] * 5)
    assert found.sites == ()


def test_an_output_that_is_no_logits_in_every_seed_is_left_alone(make):
    assert judged(make, [logits(0.1, 9.0)] * 4 + [None]) == []
    assert judged(make, [logits(0.1, 9.0)] * 4 + [OutputTrace()]) == []
