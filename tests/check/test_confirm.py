import numpy as np
import pytest

from initprobe.check.confirm import INCONCLUSIVE, confirm, doubtful
from initprobe.check.rules.base import RULES
from initprobe.records import CheckRequest

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
