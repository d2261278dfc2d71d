import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from initprobe.check.bands import Band
from initprobe.check.fit import Walk

BAND = Band(math.log(10), math.log(1000))


def walk(rms, units=64.0, depths=None):
    rms = np.atleast_2d(rms)
    depths = np.arange(rms.shape[1], dtype=float) if depths is None else np.asarray(depths, dtype=float)
    return Walk(depths, np.log(rms), np.full(rms.shape[1], units))


@given(st.floats(0.5, 2.0), st.integers(4, 60))
def test_a_geometric_signal_gives_back_its_gain_and_its_drift(gain, depth):
    found = walk([gain ** np.arange(depth)] * 3).gain(BAND, "seeds", 0.95)
    assert found.per_layer.mean == pytest.approx(gain, rel=1e-9)
    assert found.drift.mean == pytest.approx(gain ** (depth - 1), rel=1e-6)
    assert found.per_layer.low == pytest.approx(found.per_layer.high, rel=1e-6)


@given(
    st.lists(st.lists(st.floats(1e-3, 1e3), min_size=6, max_size=6), min_size=2, max_size=5),
    st.floats(1e-30, 1e30),
    st.sampled_from(["seeds", "layers"]),
)
def test_the_unit_of_the_signal_changes_nothing(rows, scale, basis):
    plain, scaled = walk(rows).gain(BAND, basis, 0.95), walk(np.array(rows) * scale).gain(BAND, basis, 0.95)
    for one, other in ((plain.per_layer, scaled.per_layer), (plain.drift, scaled.drift)):
        logs = [np.log([e.mean, e.low, e.high]) for e in (one, other)]
        assert np.allclose(*logs, atol=1e-6)


@given(st.permutations(range(5)))
def test_the_order_of_the_seeds_changes_nothing(order):
    rows = np.exp(np.random.default_rng(0).normal(size=(5, 8)))
    plain, mixed = walk(rows).gain(BAND, "seeds", 0.95), walk(rows[list(order)]).gain(BAND, "seeds", 0.95)
    assert plain.drift.low == pytest.approx(mixed.drift.low)
    assert plain.status == mixed.status


def test_a_site_that_is_left_out_keeps_its_place_in_the_depth():
    gappy = walk(0.5 ** np.array([0, 1, 4, 5, 9]), depths=[0, 1, 4, 5, 9]).gain(BAND, "layers", 0.95)
    assert gappy.per_layer.mean == pytest.approx(0.5)
    assert gappy.drift.mean == pytest.approx(0.5**9)


def test_one_draw_is_never_surer_than_the_finite_width_law():
    exact = 0.9 ** np.arange(30)
    narrow, wide = (walk(exact, units=units).gain(BAND, "layers", 0.95) for units in (32.0, 1024.0))
    # Least squares weighs step k of L - 1 by 6 k (L - k) / (L (L + 1)) of the drift.
    weights = np.array([6 * k * (30 - k) / (30 * 31) for k in range(1, 30)])
    half = 2.0484071418 * math.sqrt(5 / (4 * 32) * float(weights @ weights))
    assert math.log(narrow.drift.high / narrow.drift.mean) == pytest.approx(half, rel=1e-6)
    assert narrow.drift.high / narrow.drift.low > wide.drift.high / wide.drift.low > 1
    assert narrow.basis == "layers"
    assert narrow.more is None


def test_one_draw_with_steps_that_scatter_is_as_unsure_as_they_are():
    steps = np.random.default_rng(1).normal(0, 0.5, 29)
    rms = np.exp(np.concatenate([[0.0], np.cumsum(steps)]))
    scattered, law = walk(rms, units=1e9).gain(BAND, "layers", 0.95), walk(np.ones(30), units=1e9)
    assert scattered.drift.high / scattered.drift.low > 100
    assert law.gain(BAND, "layers", 0.95).status == "pass"


def test_the_interval_of_one_draw_covers_the_true_drift():
    rng = np.random.default_rng(5)
    steps = rng.normal(-0.02, 0.15, (600, 29))
    hits = []
    for row in steps:
        found = walk(np.exp(np.concatenate([[0.0], np.cumsum(row)])), units=math.nan).gain(BAND, "layers", 0.95)
        hits.append(math.log(found.drift.low) <= -0.02 * 29 <= math.log(found.drift.high))
    assert 0.92 < np.mean(hits) < 0.98


def test_the_seeds_that_would_settle_it_do_settle_it():
    rng = np.random.default_rng(2)
    drifts = rng.normal(math.log(10) - 0.4, 1.0, 4000)
    rows = np.exp(np.outer(drifts, np.linspace(0, 1, 8)))
    few = walk(rows[:5]).gain(BAND, "seeds", 0.9875)
    assert few.status == "inconclusive"
    middle = np.log(few.drift.mean)
    # The same spread and mean over that many seeds: stretch fresh numbers to the five seeds' mean and deviation.
    fresh = drifts[: few.more]
    fresh = (fresh - fresh.mean()) / fresh.std(ddof=1) * np.log(few.drift.per_seed).std(ddof=1) + middle
    assert walk(np.exp(np.outer(fresh, np.linspace(0, 1, 8)))).gain(BAND, "seeds", 0.9875).status != "inconclusive"
    fewer = fresh[: max(2, few.more // 3)]
    fewer = (fewer - fewer.mean()) / fewer.std(ddof=1) * np.log(few.drift.per_seed).std(ddof=1) + middle
    still = walk(np.exp(np.outer(fewer, np.linspace(0, 1, 8)))).gain(BAND, "seeds", 0.9875)
    assert still.status == "inconclusive"


def test_growth_like_the_square_root_of_depth_passes_at_any_depth():
    for blocks in (10, 100, 1000):
        joins = np.sqrt(1.0 + np.arange(blocks))
        assert walk([joins] * 3).gain(BAND, "seeds", 0.95).status == "pass"


def test_many_drifts_on_their_limit_are_accused_together_no_more_often_than_one_would_be():
    random = np.random.default_rng(0)
    band = Band(np.log(10.0), np.log(1000.0))
    depths = np.arange(10.0)
    family, networks = 20, 400
    accused = 0
    for _ in range(networks):
        ends = random.normal(np.log(10.0), 0.5, (family, 5))
        walks = [Walk(depths, np.outer(end / 9.0, depths), np.full(10, 64.0)) for end in ends]
        accused += any(walk.gain(band, "seeds", 0.95, family).status in ("warning", "error") for walk in walks)
    # one-sided: half of the 5 %
    assert accused / networks < 0.05


def test_a_drift_passes_on_its_own_evidence_however_many_there_are():
    depths = np.arange(10.0)
    ends = np.array([-0.5, -0.2, 0.1, 0.3, 0.6])
    walk = Walk(depths, np.outer(ends / 9.0, depths), np.full(10, 64.0))
    band = Band(np.log(10.0), np.log(1000.0))
    alone, among = walk.gain(band, "seeds", 0.95), walk.gain(band, "seeds", 0.95, 1000)
    assert alone == among
    assert alone.status == "pass"
