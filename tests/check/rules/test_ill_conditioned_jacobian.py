"""IP404 on records written by hand."""

import math

import numpy as np
import pytest


def judged(make, rows, **options):
    chain = make.chain(3)
    evidences = [
        make.evidence(chain, np.ones(3), seed=seed, network={} if row is None else {"jacobian": row})
        for seed, row in enumerate(rows)
    ]
    found = make.judge(evidences, **{"select": ("ALL", "IP404")} | options).findings
    return [one for one in found if one.rule.code == "IP404"]


def test_one_direction_that_carries_the_output_is_told(make):
    (found,) = judged(make, [(20.0 + seed / 10, 1.0, 512.0) for seed in range(5)])
    assert found.severity == "info"
    assert found.message == (
        "the largest singular value of the Jacobian is ×20.2 of their root mean square: one direction carries 80 % of "
        "what reaches the output"
    )
    assert found.measured == "512 singular values, 5 seeds; told beyond ×10"
    assert judged(make, [(20.0, 1.0, 512.0)] * 5, select=("geometry",)) == []


@pytest.mark.parametrize(
    "row", [(5.0, 1.0, 512.0), (0.0, 0.0, 512.0), (math.inf, math.inf, 9.0), (math.nan, 1.0, 9.0), None]
)
def test_what_is_well_conditioned_or_not_known_is_not(make, row):
    assert judged(make, [row] * 5) == []


def test_the_ratio_counts_and_not_the_size(make):
    assert judged(make, [(20e-30, 1e-30, 512.0)] * 5) != []
    assert judged(make, [(5e30, 1e30, 512.0)] * 5) == []
