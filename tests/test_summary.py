"""Statistics over seeds."""

from __future__ import annotations

import math

from initprobe.records import Counts, Estimate
from initprobe.summary import over_seeds


def test_scalars_get_an_interval_and_counts_are_summed():
    summary = over_seeds(
        [{"rms": 1.0, "exponents": Counts((1.0, 2.0))}, {"rms": 3.0, "exponents": Counts((10.0, 20.0))}]
    )
    assert isinstance(summary["rms"], Estimate)
    assert summary["rms"].mean == 2.0
    assert summary["rms"].per_seed == (1.0, 3.0)
    assert summary["rms"].low < 2.0 < summary["rms"].high
    assert summary["exponents"] == (11.0, 22.0)


def test_other_vectors_are_averaged_over_those_that_have_the_place():
    nan = math.nan
    rows = [{"rms_by_step": (1.0, 2.0, nan)}, {"rms_by_step": (3.0, nan, nan, 5.0)}]
    (one, two, three, four) = over_seeds(rows)["rms_by_step"]
    assert (one, two, four) == (2.0, 2.0, 5.0)
    assert math.isnan(three)


def test_a_seed_without_a_value_is_nan_in_its_place():
    summary = over_seeds([{"rms": 1.0}, None, {"rms": 1.0}])
    assert summary["rms"].mean == 1.0
    assert math.isnan(summary["rms"].per_seed[1])


def test_nothing_anywhere_is_none():
    assert over_seeds([None, None]) is None
