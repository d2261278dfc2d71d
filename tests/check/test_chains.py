"""What follows what across normalizations, on flows written by hand."""

import pytest

from initprobe.check.chains import multiplied, norm_chains, read_by, weighted_chains
from initprobe.records import Anatomy, Flow, Signal, Step


def anatomy(*steps):
    """Steps as (name, effect, sources, site)."""
    made = tuple(
        Step(index, name, effect, (2, 4), tuple(Signal(source) for source in sources), sites=(site,) if site else ())
        for index, (name, effect, sources, site) in enumerate(steps)
    )
    return Anatomy((), (), (), flow=Flow(made, (len(made) - 1,)))


INPUT = ("input", "other", (), "")
STACK = anatomy(
    INPUT,
    ("linear", "weighted", (0,), "a"),
    ("batch_norm", "norm", (1,), "a_norm"),
    ("relu", "activation", (2,), "a_relu"),
    ("view", "view", (3,), ""),
    ("linear", "weighted", (4,), "b"),
    ("batch_norm", "norm", (5,), "b_norm"),
    ("relu", "activation", (6,), ""),
    ("linear", "weighted", (7,), "c"),
)
RESIDUAL = anatomy(
    INPUT,
    ("linear", "weighted", (0,), "a"),
    ("layer_norm", "norm", (1,), "a_norm"),
    ("linear", "weighted", (2,), "b"),
    ("add", "sum", (1, 3), "join"),
    ("layer_norm", "norm", (4,), "b_norm"),
    ("linear", "weighted", (5,), "c"),
)


def test_weights_follow_one_another_across_normalizations():
    assert weighted_chains(STACK) == (("a", "b", "c"),)


def test_normalizations_follow_one_another_across_weights():
    assert norm_chains(STACK) == (("a_norm", "b_norm"),)


def test_a_residual_sum_ends_both():
    assert weighted_chains(RESIDUAL) == (("a", "b"), ("c",))
    assert norm_chains(RESIDUAL) == (("a_norm",), ("b_norm",))


def test_a_bias_does_not():
    shifted = anatomy(
        INPUT, ("linear", "weighted", (0,), "a"), ("add", "sum", (1,), ""), ("linear", "weighted", (2,), "b")
    )
    assert weighted_chains(shifted) == (("a", "b"),)


def test_what_branches_off_begins_anew():
    forked = anatomy(
        INPUT,
        ("linear", "weighted", (0,), "a"),
        ("linear", "weighted", (1,), "b"),
        ("linear", "weighted", (1,), "other"),
        ("linear", "weighted", (2,), "c"),
    )
    assert weighted_chains(forked) == (("a", "b", "c"), ("other",))


def test_a_way_around_ends_a_chain_that_is_to_be_the_only_way():
    assert weighted_chains(STACK, alone=True) == (("a", "b", "c"),)
    assert weighted_chains(RESIDUAL, alone=True) == (("a",), ("b",), ("c",))
    forked = anatomy(
        INPUT,
        ("linear", "weighted", (0,), "a"),
        ("layer_norm", "norm", (1,), "a_norm"),
        ("linear", "weighted", (2,), "keys"),
        ("layer_norm", "norm", (3,), "key_norm"),
        ("attention", "other", (2, 4), "attention"),
    )
    assert norm_chains(forked) == (("a_norm",), ("key_norm",))


def test_the_site_that_a_weight_reads():
    assert read_by(STACK) == {"a": None, "b": "a_relu", "c": None}  # the input, one behind a view, one that nobody sees


@pytest.mark.parametrize("name", ["mul", "multiply"])
def test_factors(name):
    gated = anatomy(
        INPUT,
        ("linear", "weighted", (0,), "value"),
        ("sigmoid", "activation", (0,), "gate"),
        (name, "other", (1, 2), "product"),
        ("mul", "scale", (3,), "twice"),
    )
    assert multiplied(gated) == {"value", "gate"}
