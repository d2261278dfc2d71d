"""Draws depend on a seed and a name, and on nothing else."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from initprobe.variates import RECIPE, Variates, generator

SEEDS = st.integers(0, 2**63 - 1)


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.text(max_size=30), st.lists(st.integers(0, 6), max_size=3).map(tuple))
def test_asked_twice_the_answer_is_the_same(seed, name, shape):
    for draw in (Variates.normal, Variates.uniform):
        first, second = (draw(Variates(seed, name), shape) for _ in range(2))
        assert torch.equal(first, second)
        assert first.shape == shape
        assert first.is_contiguous()
        assert (first.dtype, first.device.type) == (torch.float32, "cpu")


def test_names_and_seeds_draw_different_numbers():
    drawn = [tuple(Variates(seed, name).normal((4,)).tolist()) for seed in (0, 1) for name in ("", "a", "b", "a.b")]
    assert len(set(drawn)) == len(drawn)


def test_a_seed_and_a_name_do_not_run_together():
    assert not torch.equal(Variates(1, "1.w").normal((4,)), Variates(11, ".w").normal((4,)))


def test_names_may_hold_anything_a_model_may():
    for name in ("\ud800", "naïve", "a\nb", "\0", "x" * 10_000):
        assert torch.isfinite(Variates(0, name).normal((3,))).all()


def test_the_shape_arranges_the_numbers_and_changes_none():
    flat = Variates(3, "w").normal((24,))
    assert torch.equal(Variates(3, "w").normal((2, 3, 4)).reshape(-1), flat)


def test_the_surroundings_do_not_matter_and_are_not_touched():
    expected = Variates(5, "w").normal((1000,))
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tobytes()  # noqa: NPY002
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"), torch.no_grad():
            assert torch.equal(Variates(5, "w").normal((1000,)), expected)
            assert Variates(5, "w").integers((3,), 9).device.type == "cpu"
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), np.random.get_state()[1].tobytes()) == before[1:]  # noqa: NPY002


def test_the_numbers_are_those_of_the_recipe():
    """They are part of every result: a change of these is a change of ``RECIPE``."""
    assert RECIPE == "initprobe.v1"
    assert Variates(0, "layer.weight").uniform((3,)).tolist() == pytest.approx(
        [0.17797118425369263, 0.973773181438446, 0.966264009475708], rel=1e-6
    )
    assert generator(0, "layer.weight").initial_seed() < 2**63


def test_the_distributions_are_what_they_are_called():
    number = 200_000
    normal, uniform = Variates(0, "n").normal((number,)).double(), Variates(0, "u").uniform((number,)).double()
    whole = Variates(0, "i").integers((number,), 7)
    assert abs(normal.mean()) < 5 / number**0.5
    assert abs(normal.var() - 1) < 5 * (2 / number) ** 0.5
    assert abs(normal.pow(4).mean() - 3) < 5 * (96 / number) ** 0.5
    assert (uniform.min(), uniform.max()) >= (0, 0)
    assert uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 5 * (1 / 12 / number) ** 0.5
    counts = torch.bincount(whole, minlength=7).double()
    assert len(counts) == 7
    assert ((counts - number / 7).abs() < 5 * (number / 7) ** 0.5).all()


def test_empty_shapes_draw_nothing():
    assert Variates(0, "w").normal((0, 3)).shape == (0, 3)
    assert Variates(0, "w").normal(()).shape == ()
