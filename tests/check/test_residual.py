"""The law of a stream's growth, and what each branch adds, on numbers written by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from initprobe.check.residual import growth_of, residual_streams
from initprobe.check.signals import Signals
from initprobe.records import Branch

SIX = np.arange(6.0)


def std_of(variance, seeds=3, noise=0.01):
    rng = np.random.default_rng(3)
    return np.sqrt(variance) * np.exp(noise * rng.standard_normal((seeds, len(variance))))


@given(st.floats(0.2, 5.0), st.floats(-30, 30))
def test_a_line_is_linear_at_any_scale(slope, exponent):
    growth = growth_of(std_of(10.0**exponent * (1 + slope * SIX)))
    assert growth.law == "linear"
    assert growth.per_block == pytest.approx(slope, rel=0.15)
    assert growth.total == pytest.approx(1 + 5 * slope, rel=0.1)


@given(st.floats(1.5, 8.0) | st.floats(0.1, 0.7), st.floats(-30, 30))
def test_a_factor_is_exponential_at_any_scale(factor, exponent):
    growth = growth_of(std_of(10.0**exponent * factor**SIX))
    assert growth.law == "exponential"
    assert growth.per_block == pytest.approx(factor, rel=0.05)


def test_what_hardly_changes_is_constant():
    growth = growth_of(std_of(np.ones(6)))
    assert (growth.law, growth.per_block) == ("constant", 1.0)


@pytest.mark.parametrize("std", [np.ones((3, 2)), np.zeros((3, 6)), np.full((3, 6), np.nan), np.full((3, 6), np.inf)])
def test_nothing_is_said_of_what_has_no_law(std):
    with np.errstate(all="ignore"):
        assert growth_of(std) is None


def test_growth_beyond_all_numbers_is_still_a_law():
    growth = growth_of(np.exp(np.outer(np.ones(2), 200.0 * np.arange(4.0))))
    assert growth.law == "exponential"


def evidences(make, *, skip="identity", end="block.0.down"):
    chain = make.chain(5, kind="join")
    keys = chain.streams
    joins = ("block.0.linear", "block.1.linear", "block.2.linear", "block.3.linear", "block.4.linear")
    branches = tuple(
        Branch(place, f"block.{place}", join, (f"block.{place}.linear.weight",), (), end=join, beside=joins[place - 1])
        for place, join in enumerate(joins) if place
    )  # fmt: skip
    first = Branch(0, "block.0", joins[0], ("block.0.linear.weight",), (), skip=skip, end=None, beside=None)
    anatomy = replace(chain, streams=(replace(keys[0], kind="residual"),), branches=(first, *branches))
    extra = {join: {"std": float(2.0**place)} for place, join in enumerate(joins)}
    return make.evidences(anatomy, np.ones((2, 5)), extra=extra)


def test_ratios_are_of_the_branch_to_what_it_is_added_to(make):
    found = evidences(make)
    (stream,) = residual_streams(found[0].anatomy, Signals.of(found))
    assert [None if block.ratio is None else block.ratio.mean for block in stream.blocks] == [None, 2.0, 2.0, 2.0, 2.0]
    assert [block.variance.mean for block in stream.blocks] == [1.0, 4.0, 16.0, 64.0, 256.0]
    assert stream.label == "block.0.linear … block.4.linear"
    assert (stream.growth.law, stream.growth.total) == ("exponential", pytest.approx(256.0))


def test_a_projection_begins_a_stream_and_is_no_step_of_its_growth(make):
    found = evidences(make, skip="projection")
    (stream,) = residual_streams(found[0].anatomy, Signals.of(found))
    assert len(stream.blocks) == 5
    assert stream.growth.total == pytest.approx(64.0)
