from dataclasses import replace

import numpy as np
import pytest

from initprobe.check.confirm import INCONCLUSIVE, confirm, doubtful
from initprobe.check.looks import LookPlan
from initprobe.check.rules.base import RULES
from initprobe.records import CheckRequest, Stream

DEPTH = 20
SEEDS = (5, 6, 7, 8, 9)


@pytest.fixture
def judged(make):
    """Judgements of a chain by its gain per layer."""

    def judge(gain, **request):
        return make.judge(make.evidences(make.chain(DEPTH), make.geometric(gain, DEPTH)), **request)

    return judge


def confirmed(first, again, **request):
    return confirm(first, again, CheckRequest(**request), SEEDS, RULES[INCONCLUSIVE].card)


def test_what_passes_needs_no_confirmation(judged):
    assert not doubtful(judged(1.0), CheckRequest())
    assert not doubtful(judged(0.5, fail_on="never"), CheckRequest(fail_on="never"))


def test_what_fails_does(judged):
    assert doubtful(judged(0.5), CheckRequest())


def test_what_was_seen_for_certain_does_not(make):
    rms = np.ones((5, DEPTH))
    extra = {f"block.{DEPTH - 1}.linear": {"nonfinite": 3.0}}
    first = make.judge(make.evidences(make.chain(DEPTH), rms, extra=extra))
    assert [finding.rule.code for finding in first.findings] == ["IP103"]
    assert not doubtful(first, CheckRequest())
    assert confirmed(first, make.judge(make.evidences(make.chain(DEPTH), rms))).verdict == "fail"


def test_a_repeated_finding_stays_and_is_said_to_be_confirmed(judged):
    first = judged(0.5)
    sure = confirmed(first, judged(0.52))
    assert (sure.verdict, sure.findings) == ("fail", first.findings)
    assert sure.notes == (*first.notes, "confirmed on 5 fresh seeds (5 to 9)")


def test_one_that_is_not_repeated_fails_nothing_and_is_told(judged):
    sure = confirmed(judged(0.5), judged(1.0))
    assert sure.verdict == "inconclusive"
    (told,) = sure.findings
    assert (told.rule.code, told.severity) == ("IP006", "info")
    assert told.message.startswith("vanishing-forward is not confirmed: 5 fresh seeds (5 to 9) do not show it (forward")
    assert told.notes[-1].endswith("--seeds 20")


def test_the_same_the_other_way_is_no_confirmation(judged):
    sure = confirmed(judged(0.5), judged(2.0))
    assert sure.verdict == "inconclusive"
    assert [finding.rule.code for finding in sure.findings] == ["IP006"]


def test_what_fresh_seeds_find_less_severe_is_told_as_that(judged):
    sure = confirmed(judged(0.5), judged(0.85))
    assert sure.verdict == "inconclusive"
    (told,) = sure.findings
    assert (told.rule.code, told.severity) == ("IP101", "warning")
    assert told.notes[-2] == "5 fresh seeds (5 to 9) find it no more than warning"
    assert confirmed(judged(0.5, fail_on="warning"), judged(0.85), fail_on="warning").verdict == "fail"


def test_what_is_not_confirmed_is_marked(judged):
    assert [one.unconfirmed for one in confirmed(judged(0.5), judged(1.0)).findings] == [True]
    assert [one.unconfirmed for one in confirmed(judged(0.5), judged(0.85)).findings] == [True]
    assert [one.unconfirmed for one in confirmed(judged(0.5), judged(0.5)).findings] == [False]


def test_strict_still_fails(judged):
    sure = confirmed(judged(0.5, strict=True), judged(1.0), strict=True)
    assert (sure.verdict, sure.findings[0].severity) == ("fail", "error")


def test_another_finding_still_fails(make):
    forward, backward = make.geometric(0.5, DEPTH), make.geometric(2.0, DEPTH)
    first = make.judge(make.evidences(make.chain(DEPTH), forward, backward))
    again = make.judge(make.evidences(make.chain(DEPTH), forward, np.ones((5, DEPTH))))
    assert [finding.rule.code for finding in first.findings] == ["IP101", "IP201"]
    sure = confirmed(first, again)
    assert sure.verdict == "fail"
    assert [finding.rule.code for finding in sure.findings] == ["IP101", "IP006"]


def streams(make, many, gain, noise, seed):
    """Evidences of a network of many streams of eight layers, of which the first drifts; seeds differ."""
    chain = make.chain(8 * many)
    keys = [site.key for site in chain.sites]
    cut = tuple(Stream("pre-activation", tuple(keys[8 * i : 8 * i + 8])) for i in range(many))
    slopes = np.random.default_rng(seed).normal(0.0, noise, (5, many))
    slopes[:, 0] += np.log(gain)
    logs = slopes[:, :, None] * np.arange(8.0)
    return make.evidences(replace(chain, streams=cut), np.exp(logs.reshape(5, -1)))


@pytest.mark.parametrize("many", [1, 8])
def test_a_drift_is_repeated_however_many_streams_there_are(make, many):
    first = make.judge(streams(make, many, 2.0, 0.03, seed=0), fail_on="warning")
    again = make.judge(streams(make, many, 2.0, 0.15, seed=1), planned=LookPlan.second(5))
    assert first.findings[0].rule.code == "IP102"
    assert first.segments[0].forward.confidence == pytest.approx(1.0 - 0.05 / many)
    assert again.segments[0].forward.confidence == pytest.approx(0.8)
    sure = confirmed(first, again, fail_on="warning")
    assert (sure.verdict, sure.findings) == ("fail", first.findings)


def test_what_else_fresh_seeds_find_does_not_swallow_the_repeated_finding(make):
    """At its lower level a second look finds more, and something of that may come first on the signal's way."""
    chain, rms = make.chain(5), np.ones(5)
    lost = {"nonfinite": 5.0, "count": 100.0, "absmax": 6.4e4, "rms": 3e4}
    extra = {f"block.{i}.linear": lost for i in (2, 3, 4)}
    evidences = [make.evidence(chain, rms, seed=seed, extra=extra, dtype="float16") for seed in range(5)]
    assert [one.rule.code for one in make.judge(evidences).findings] == ["IP801"]
    codes = [one.rule.code for one in make.judge(evidences, planned=LookPlan.second(5)).findings]
    assert sorted(codes) == ["IP103", "IP801"]
