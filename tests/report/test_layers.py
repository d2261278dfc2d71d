"""Repeats fold into one row, and no name is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initprobe.report.layers import fold, layer_rows


def labels(*names, structures=None):
    return [found.label for found in fold(names, structures or [None] * len(names))]


def test_a_repeated_block_folds_layer_by_layer():
    names = ["stem", *(f"block.{place}.{kind}" for place in range(50) for kind in ("linear", "relu")), "head"]
    assert labels(*names) == ["stem", "block.0–49.linear", "block.0–49.relu", "head"]


def test_a_flat_sequential_folds_by_structure():
    names = [str(place) for place in range(10)]
    assert labels(*names, structures=["Linear", "ReLU"] * 5) == ["0,2,…,8", "1,3,…,9"]


def test_the_pattern_with_most_members_wins():
    names = [f"layers.{outer}.convs.{inner}" for outer in range(20) for inner in range(2)]
    assert labels(*names) == ["layers.0–19.convs.0", "layers.0–19.convs.1"]
    names = [f"stages.{outer}.blocks.{inner}" for outer in range(2) for inner in range(6)]
    assert labels(*names) == ["stages.0.blocks.0–5", "stages.1.blocks.0–5"]


def test_of_equal_patterns_a_whole_part_of_the_path_wins():
    names = [f"layer1.{block}.conv{layer}" for block in range(2) for layer in (1, 2)]
    assert labels(*names) == ["layer1.0–1.conv1", "layer1.0–1.conv2"]


def test_other_structure_is_another_row():
    names = [f"block.{place}.linear" for place in range(5)]
    assert labels(*names, structures=["a", "b", "b", "a", "a"]) == ["block.0,3–4.linear", "block.1–2.linear"]


def test_calls_of_one_module_fold():
    assert labels("cell", "cell#2", "cell#3", "out") == ["cell#1–3", "out"]
    assert labels("cell[1]", "cell#2[1]") == ["cell#1–2[1]"]


def test_digits_that_are_no_index_stay():
    assert labels("conv1", "linear", "norm") == ["conv1", "linear", "norm"]
    assert labels("a" + "9" * 5000, "") == ["a" + "9" * 199 + "…(4801 more)", "(model)"]


@given(st.lists(st.from_regex(r"[ab]?[0-9]{0,2}(\.[ab]?[0-9]{1,2}){0,2}(#[2-3])?", fullmatch=True), unique=True))
def test_every_name_is_in_exactly_one_fold_and_order_is_kept(names):
    folds = fold(names, [None] * len(names))
    assert sorted(place for found in folds for place in found.members) == list(range(len(names)))
    assert [found.members[0] for found in folds] == sorted(found.members[0] for found in folds)
    assert all(list(found.members) == sorted(found.members) for found in folds)


@pytest.mark.parametrize(("layers", "rows"), [("grouped", 4), ("all", 26), ("flagged", 1)])
def test_rows_of_an_entry(canonical, layers, rows):
    entry = canonical["failing"].entries[0]
    assert len(layer_rows(entry, layers)) == rows


def test_a_site_that_holds_an_earlier_tensor_has_no_row(canonical):
    entry = canonical["failing"].entries[0]
    assert entry.sites[-1].site.alias_of == "head"
    assert all(summary.site.alias_of is None for row in layer_rows(entry, "all") for summary in row.sites)
