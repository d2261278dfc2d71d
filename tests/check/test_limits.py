import pytest

from initprobe.check.limits import resolve, table
from initprobe.errors import UsageError


def test_the_table_is_complete_and_its_defaults_are_admitted():
    keys = [threshold.key for threshold in table()]
    assert len(set(keys)) == len(keys)
    for threshold in table():
        assert threshold.admits(threshold.default)
        assert len(threshold.source) > 10
        assert threshold.doc


def test_what_is_given_replaces_the_default_and_nothing_else():
    limits = resolve([("forward_drift.error", 50.0)])
    assert limits["forward_drift.error"] == 50.0
    assert limits["backward_drift.error"] == 1000.0
    assert set(limits) == {threshold.key for threshold in table()}


def test_a_typo_gets_the_nearest_key():
    with pytest.raises(UsageError) as caught:
        resolve([("forward_drfit.error", 50.0)])
    assert "forward_drfit.error" in str(caught.value)
    assert caught.value.hint == "did you mean 'forward_drift.error'?"


def test_a_key_like_no_other_gets_the_whole_list():
    with pytest.raises(UsageError) as caught:
        resolve([("zzz", 1.0)])
    assert "forward_drift.warning" in caught.value.hint


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("forward_drift.error", 1.0),
        ("forward_drift.error", 0.001),
        ("forward_drift.error", float("inf")),
        ("backward_drift.warning", float("nan")),
        ("dead_units.fraction", 0.0),
        ("dead_units.fraction", 60.0),
    ],
)
def test_values_that_make_no_sense_are_rejected(key, value):
    with pytest.raises(UsageError, match=key):
        resolve([(key, value)])


def test_a_warning_limit_beyond_the_error_limit_is_rejected():
    with pytest.raises(UsageError, match=r"forward_drift\.warning \(10\) is beyond forward_drift\.error \(5\)"):
        resolve([("forward_drift.error", 5.0)])
    assert resolve([("forward_drift.error", 5.0), ("forward_drift.warning", 2.0)])["forward_drift.error"] == 5.0
