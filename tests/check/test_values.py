"""What the values of a parameter look like, on records written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from initprobe.check.case import Case, Facts
from initprobe.check.rules.base import RULES
from initprobe.check.signals import Signals
from initprobe.check.values import is_constant, is_drawn, size_of, std_of, typical, variance_error
from initprobe.records import Anatomy, Evidence, ParameterTrace, Trace, Weight

WEIGHT = Weight("linear.weight", "linear", "Linear", "linear", (30, 20))


def case_of(*rows, one_draw=False, weight=WEIGHT):
    anatomy = Anatomy((weight,), (), ())
    evidences = [
        Evidence(anatomy, Trace(seed, (), (ParameterTrace(weight.name, row),))) for seed, row in enumerate(rows)
    ]
    facts = Facts(tuple(evidences), anatomy, Signals.of(evidences), one_draw=one_draw)
    return Case(facts, RULES["IP503"].card)


def test_a_typical_value_is_the_geometric_mean_and_there_is_none_of_what_is_not_positive():
    assert typical(np.array([0.1, 10.0])) == pytest.approx(1.0)
    assert typical(np.array([0.0, 1.0])) is None
    assert typical(np.array([np.nan, 1.0])) is None
    assert typical(np.array([])) is None


def test_one_number_is_told_whatever_rounding_made_of_it():
    assert is_constant(case_of({"std": 1e-9, "rms": 0.1}, {"std": 0.0, "rms": 0.1}), WEIGHT)
    assert not is_constant(case_of({"std": 1e-3, "rms": 0.1}), WEIGHT)
    assert not is_constant(case_of({"std": 0.0, "rms": 0.1}, {"std": 0.1, "rms": 0.1}), WEIGHT)
    assert not is_constant(case_of({"std": 0.0, "rms": 0.0}), WEIGHT)
    assert not is_constant(case_of({}), WEIGHT)


def test_a_draw_has_many_values_in_every_seed():
    drawn, signs = {"std": 0.1, "rms": 0.1, "distinct": 600.0}, {"std": 0.1, "rms": 0.1, "distinct": 1.0}
    assert is_drawn(case_of(drawn, drawn), WEIGHT)
    assert not is_drawn(case_of(drawn, signs), WEIGHT)
    assert not is_drawn(case_of({"std": 0.1, "rms": 0.1}), WEIGHT)


def test_the_standard_deviation_of_what_a_layer_computes_its_weight_from_says_nothing():
    row = {"std": 0.1, "rms": 0.1}
    assert std_of(case_of(row), WEIGHT) == pytest.approx(0.1)
    stored = Weight("linear.parametrizations.weight.original", "linear", "Linear", "linear", (30, 20))
    assert std_of(case_of(row, weight=stored), stored) is None
    assert std_of(case_of({"std": 0.0, "rms": 0.1}), WEIGHT) is None


def test_more_draws_tell_a_variance_better():
    row = {"std": 0.1, "rms": 0.1}
    assert size_of(WEIGHT) == 600
    one, four = (variance_error(case_of(*[row] * seeds), WEIGHT) for seeds in (1, 4))
    assert one - 0.02 == pytest.approx(4.0 * (2.0 / 600) ** 0.5)
    assert four - 0.02 == pytest.approx((one - 0.02) / 2.0)
    assert variance_error(case_of(row, row, one_draw=True), WEIGHT) == one


def test_the_measured_spread_of_drawn_weights_stays_within_the_error():
    """4 standard errors: one weight in 16,000 lies beyond."""
    rng = np.random.default_rng(0)
    variances = rng.standard_normal((2000, 600)).var(axis=1)
    assert (np.abs(variances - 1.0) <= variance_error(case_of({"std": 1.0, "rms": 1.0}), WEIGHT)).all()
