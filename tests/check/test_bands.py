import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initprobe.check.bands import Band

BAND = Band(math.log(10), math.log(1000))
LOG10 = math.log(10)


@pytest.mark.parametrize(
    ("low", "high", "status"),
    [
        (-0.5, 0.5, "pass"),
        (-1.0, 1.0, "pass"),
        (-5, -4, "error"),
        (4, 5, "error"),
        (-2.5, -1.5, "warning"),
        (1.5, 2.5, "warning"),
        (-4, -2, "warning"),
        (2, 4, "warning"),
        (-1.5, -0.5, "inconclusive"),
        (0.5, 1.5, "inconclusive"),
        (-1.5, 1.5, "inconclusive"),
        (-4, -0.5, "inconclusive"),
        (-9, 9, "inconclusive"),
        (-math.inf, -math.inf, "error"),
    ],
)
def test_an_interval_in_decades_has_one_status(low, high, status):
    assert BAND.status(low * LOG10, high * LOG10) == status


def test_a_rule_about_one_side_sees_only_that_side():
    assert BAND.levels(0.5 * LOG10, 5 * LOG10, "shrinks") == {"pass"}
    assert BAND.levels(0.5 * LOG10, 5 * LOG10, "grows") == {"pass", "warning", "error"}
    assert BAND.levels(-5 * LOG10, -2 * LOG10, "shrinks") == {"warning", "error"}


def test_no_interval_reaches_no_level():
    assert BAND.levels(math.nan, math.nan, "grows") == frozenset()


@given(st.floats(-20, 20), st.floats(0, 20))
def test_shrinking_and_growing_are_mirror_images(low, width):
    high = low + width
    assert BAND.status(low, high) == BAND.status(-high, -low)
    assert BAND.levels(low, high, "grows") == BAND.levels(-high, -low, "shrinks")


@given(st.floats(-20, 20), st.floats(0, 10), st.floats(0, 10))
def test_a_wider_interval_never_decides_more(low, width, more):
    narrow = BAND.levels(low, low + width, "grows")
    wide = BAND.levels(low - more, low + width + more, "grows")
    assert narrow <= wide


def test_the_edges_are_the_limits_inside():
    assert BAND.edges(0.5 * LOG10, 4 * LOG10) == (BAND.warning, BAND.error)
    assert BAND.edges(-LOG10 / 2, LOG10 / 2) == ()
