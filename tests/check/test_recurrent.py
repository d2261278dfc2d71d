"""Drifts over time: what grows is an error as in depth, what fades is a warning at most."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from initprobe.records import Weight

STEPS = 40
DRIFTS = {"IP101", "IP102", "IP201", "IP202"}


def judged(make, forward, backward, kind="recurrent", **request):
    anatomy = make.chain(STEPS, kind=kind)
    return make.judge(make.evidences(anatomy, forward, backward), **request)


def drifting(judgement):
    return {(one.rule.code, one.severity) for one in judgement.findings if one.rule.code in DRIFTS}


def steady(make):
    return make.geometric(1.0, STEPS)


def test_a_gradient_that_vanishes_over_time_is_a_warning(make):
    growing = make.geometric(2.0, STEPS, start=1e-12)
    judgement = judged(make, steady(make), growing)
    assert drifting(judgement) == {("IP201", "warning")}
    assert judgement.verdict == "pass"
    assert judged(make, steady(make), growing, fail_on="warning").verdict == "fail"
    assert drifting(judged(make, steady(make), growing, kind="residual")) == {("IP201", "error")}


def test_it_is_told_per_step_of_time(make):
    judgement = judged(make, steady(make), make.geometric(2.0, STEPS, start=1e-12))
    (finding,) = (one for one in judgement.findings if one.rule.code == "IP201")
    assert "shrinks ×0.500 per step over 40 steps, last to first (0.549 → 1.0e-12)" in finding.message
    assert "(40 steps, first below 0.1: block.35.linear)" in finding.label
    assert "warning beyond ×10 ([0.943, 1.061] per step)" in finding.measured


@pytest.mark.parametrize(("gain", "code"), [(1.5, "IP202"), (0.5, "IP201")])
def test_what_explodes_is_an_error(make, gain, code):
    judgement = judged(make, steady(make), make.geometric(1.0 / gain, STEPS))
    assert drifting(judgement) == {(code, "error" if gain > 1.0 else "warning")}
    assert judgement.verdict == ("fail" if gain > 1.0 else "pass")


def test_a_state_that_grows_is_an_error_and_one_that_fades_a_warning(make):
    assert drifting(judged(make, make.geometric(1.4, STEPS), steady(make))) == {("IP102", "error")}
    assert drifting(judged(make, make.geometric(0.6, STEPS), steady(make))) == {("IP101", "warning")}


def test_a_gradient_that_underflows_on_its_way_back_is_a_warning(make):
    gradients = make.geometric(3.0, STEPS, start=1e-19)
    gradients[:, :10] = 0.0
    assert drifting(judged(make, steady(make), gradients)) == {("IP201", "warning")}
    constant = np.full((5, STEPS), 1.0)
    constant[:, 0] = 0.0
    assert drifting(judged(make, steady(make), constant)) == {("IP201", "warning")}


def test_there_is_no_error_limit_to_be_undecided_about(make):
    """Intervals that reach across a thousandth leave nothing open: a warning it is on both sides."""
    rng = np.random.default_rng(3)
    slopes = np.log(1000.0) / (STEPS - 1) + 0.02 * rng.standard_normal((5, 1))
    gradients = np.exp(slopes * (np.arange(STEPS) - STEPS))
    judgement = judged(make, steady(make), gradients)
    assert drifting(judgement) == {("IP201", "warning")}
    assert "IP006" not in {one.rule.code for one in judgement.findings}


@pytest.mark.parametrize("power", [0.0, 0.5])
def test_a_memory_that_fills_up_passes(make, power):
    """A state that starts near zero and settles, and one that adds up independent inputs, like the root of time."""
    steps = np.arange(1, STEPS + 1)
    state = steps**power if power else 1.0 - 0.8 * 0.5**steps
    judgement = judged(make, np.tile(state, (5, 1)) * (1.0 + 1e-4 * np.arange(5)[:, None]), steady(make))
    assert drifting(judgement) == set()
    assert judgement.verdict == "pass"


def test_layers_that_run_all_steps_at_once_are_told_of(make):
    hidden = [
        Weight(f"{layer}.weight_hh", layer, kind, "recurrent", (8, 8), recurrent="hidden")
        for layer, kind in (("lstm", "LSTM"), ("once", "GRUCell"), ("block.0.linear", "LSTM"))
    ]
    anatomy = make.chain(STEPS, kind="recurrent")
    anatomy = replace(anatomy, weights=(*anatomy.weights, *hidden))
    judgement = make.judge(make.evidences(anatomy, steady(make), steady(make)))
    assert judgement.notes == (
        "the steps of lstm are one call, gains from step to step are not judged: call its cell in a loop",
    )
