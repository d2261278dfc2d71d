"""What differs between two traces of one seed."""

import math
from dataclasses import replace

import pytest

from initprobe.measure.repeat import ROUNDING, unsteady
from initprobe.records import ParameterTrace, SiteTrace, Trace, Unsteady


def trace(weight=0.3, value=1.0, batch=1.0, **statistics):
    row = {"rms": value, "mean": 0.01, "absmax": 4.0 * value, **statistics}
    return Trace(
        0,
        (SiteTrace("first", (4, 8), "float32", row), SiteTrace("last", (4, 8), "float32", row)),
        (ParameterTrace("first.weight", {"rms": weight, "mean": 0.0}),),
        {"0": {"rms": batch, "mean": 0.0, "absmax": 3.0}},
    )


def test_the_same_is_steady():
    assert unsteady(trace(), trace()) == ()


def test_rounding_is_the_same():
    assert unsteady(trace(), trace(value=1.0 + 0.5 * ROUNDING)) == ()
    assert [each.name for each in unsteady(trace(), trace(value=1.0 + 2.0 * ROUNDING))] == ["first", "last"]


def test_causes_come_first():
    found = unsteady(trace(), trace(weight=0.31, value=1.1, batch=1.2))
    assert found[0] == Unsteady("parameter", "first.weight", 0.3, 0.31)
    assert [each.kind for each in found] == ["parameter", "input", "site", "site"]


@pytest.mark.parametrize("statistic", ["mean", "absmax"])
def test_the_mean_and_the_largest_value_tell_too(statistic):
    assert unsteady(trace(), trace(**{statistic: 0.5})) != ()


def test_a_small_mean_may_round_as_the_values_do():
    assert unsteady(trace(mean=0.0), trace(mean=0.5 * ROUNDING)) == ()


def test_what_was_not_there_the_second_time_is_told():
    (found,) = unsteady(trace(), replace(trace(), sites=trace().sites[:1]))
    assert (found.kind, found.name, found.first) == ("site", "last", 1.0)
    assert math.isnan(found.second)


def test_nan_twice_is_the_same():
    assert unsteady(trace(mean=math.nan), trace(mean=math.nan)) == ()
    assert unsteady(trace(mean=math.nan), trace()) != ()


def test_a_parameter_without_elements_is_the_same():
    empty = replace(trace(), parameters=(*trace().parameters, ParameterTrace("registers", {})))
    assert unsteady(empty, empty) == ()
    assert [each.name for each in unsteady(empty, trace())] == ["registers"]
