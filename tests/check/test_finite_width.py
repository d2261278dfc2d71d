"""The promise behind the verdict, on the law that a He/ReLU net of finite width obeys (Hanin & Nica 2018)."""

import math
from collections import Counter

import numpy as np
import pytest

from initprobe.check.looks import LookPlan
from initprobe.records import NeedSeeds

pytestmark = pytest.mark.untraced

DEPTH = 50
PLAN = LookPlan(5, 32)


def outcomes(make, width, log_gain, nets, *, one_draw=False):
    """The findings and the verdict of many nets that differ in their base seed only."""
    rng = np.random.default_rng(width)
    chain = make.chain(DEPTH, units=width)
    found = Counter()
    for _ in range(nets):
        forward = make.finite_width(rng, DEPTH, width, PLAN.maximum, log_gain)
        backward = make.finite_width(rng, DEPTH, width, PLAN.maximum, log_gain)[:, ::-1]
        seeds = 1 if one_draw else PLAN.start
        answer = NeedSeeds(seeds)
        while isinstance(answer, NeedSeeds):
            evidences = make.evidences(chain, forward[: answer.count], backward[: answer.count])
            answer = make.judge(evidences, one_draw=one_draw, planned=PLAN)
        found[answer.verdict, tuple((finding.rule.code, finding.severity) for finding in answer.findings)] += 1
    return found


@pytest.mark.parametrize(("width", "nets"), [(64, 100), (128, 60), (256, 40), (1024, 40)])
def test_a_correct_net_of_any_width_is_never_accused_and_hardly_ever_left_open(make, width, nets):
    found = outcomes(make, width, 0.0, nets)
    assert found["pass", ()] >= 0.97 * nets
    open_ones = sum(count for (_, findings), count in found.items() if {code for code, _ in findings} == {"IP006"})
    assert found["pass", ()] + open_ones == nets


@pytest.mark.parametrize("width", [64, 1024])
@pytest.mark.parametrize(
    ("log_gain", "codes"),
    [(-math.log(2) / 2, ("IP101", "IP201")), (math.log(2), ("IP102", "IP202"))],
    ids=["xavier", "he doubled"],
)
def test_a_wrong_net_always_gets_its_errors(make, width, log_gain, codes):
    assert outcomes(make, width, log_gain, nets=30) == {("fail", tuple((code, "error") for code in codes)): 30}


@pytest.mark.parametrize("width", [64, 256])
def test_one_draw_of_a_correct_net_is_never_an_error_and_of_a_wrong_one_always(make, width):
    correct = outcomes(make, width, 0.0, nets=100, one_draw=True)
    assert not any(severity == "error" for _, findings in correct for _, severity in findings)
    accused = sum(count for (_, findings), count in correct.items() if any(s == "warning" for _, s in findings))
    assert accused <= 2
    wrong = outcomes(make, width, -math.log(2) / 2, nets=30, one_draw=True)
    assert all(verdict == "fail" for verdict, _ in wrong)
