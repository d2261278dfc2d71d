"""What every statistic promises, whatever it describes and however odd the tensor."""

from __future__ import annotations

import math

import pytest
import torch

from initprobe.measure.ledger import Ledger, Plan
from initprobe.measure.moments import Workspace, deferred_moments
from initprobe.measure.reductions import MOMENTS, View
from initprobe.measure.statistics.base import EVERYTHING, STATISTICS
from tests.measure.reference import moments

NAN, INF = math.nan, math.inf


def odd_tensors():
    normal = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    images = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(1))
    holed = normal.clone()
    holed[2, 1], holed[3, 3] = NAN, INF
    return {
        "plain": normal,
        "one_element": torch.ones(1, 1),
        "no_axis": torch.tensor(3.0),
        "all_equal": torch.full((6, 4), 0.1),
        "zeros": torch.zeros(6, 4),
        "one_live_sample": torch.cat([torch.zeros(5, 4), normal[:1]]),
        "holed": holed,
        "all_nan": torch.full((6, 4), NAN),
        "all_inf": torch.full((6, 4), -INF),
        "float16_edge": torch.tensor([[65504.0, -65504.0]] * 6, dtype=torch.float16),
        "float16": normal.half(),
        "bfloat16": (normal * 1e38).bfloat16(),
        "float64_huge": normal.double() * 1e200,
        "float64_tiny": normal.double() * 1e-200,
        "float32_edge": torch.full((6, 4), 3e38) * torch.tensor([1.0, -1.0, 1.0, -1.0]),
        "denormal": torch.full((6, 4), 1e-44),
        "channels_last": images.to(memory_format=torch.channels_last),
        "transposed": normal.t(),
        "expanded": normal[:, :1].expand(6, 4),
        "batch_of_one": normal[:1],
        "odd_batch": normal[:5],
        "three_axes": images.reshape(6, 4, 9),
        "complex": torch.complex(normal, normal.flip(0)),
        "conjugated": torch.complex(normal, normal.flip(0)).conj(),
    }


ODD = odd_tensors()
LEAVES = pytest.mark.parametrize("name", list(STATISTICS))
SHAPES = pytest.mark.parametrize("tensor", list(ODD.values()), ids=list(ODD))


def views(tensor):
    """Every way in which a site may be described."""
    batch = tensor.shape[0] if tensor.dim() else 1
    for axis in (None, *range(-tensor.dim(), 0)):
        for flag in (True, False):
            flat = (-0.5, 0.5) if flag else None
            yield View(
                tensor, Workspace(), batch, unit_axis=axis, on_stream=flag, weighted=flag, can_die=flag, flat=flat
            )


@LEAVES
@SHAPES
def test_every_value_is_a_number_for_every_tensor(name, tensor):
    leaf = STATISTICS[name]
    for view in views(tensor):
        if leaf.reduction.applies is not None and not leaf.reduction.applies(view):
            continue
        numbers = leaf.reduction.run(view)
        assert isinstance(numbers, list)
        assert all(isinstance(number, (int, float)) for number in numbers)
        value = leaf.value(numbers)
        for one in value if isinstance(value, tuple) else (value,):
            assert isinstance(one, (int, float))
            assert math.isfinite(one) or math.isnan(one)


@LEAVES
@SHAPES
def test_off_the_cpu_the_value_is_the_same(name, tensor):
    """The path without a look at any value, run on values that can be looked at afterwards."""
    leaf = STATISTICS[name]
    for view in views(tensor):
        if leaf.reduction.applies is not None and not leaf.reduction.applies(view):
            continue
        away = View(tensor, view.workspace, view.batch, view.unit_axis, view.on_stream, view.weighted, view.can_die)
        away.flat = view.flat
        away._moments = deferred_moments(view.values)
        here, there = leaf.reduction.run(view), leaf.reduction.run(away)
        there = there.tolist() if isinstance(there, torch.Tensor) else there
        if name == "unit_spread":  # on the CPU a few samples tell, elsewhere all are read
            assert (leaf.value(here) == 0) == (leaf.value(there) == 0)
        else:
            assert leaf.value(here) == pytest.approx(leaf.value(there), rel=1e-6, abs=1e-6, nan_ok=True)


@LEAVES
def test_a_leaf_says_what_it_is(name):
    leaf = STATISTICS[name]
    assert leaf.name == name
    assert leaf.of
    assert leaf.of <= EVERYTHING
    assert leaf.summary
    assert not leaf.summary.endswith(".")


@SHAPES
@pytest.mark.parametrize("kind", sorted(EVERYTHING))
def test_a_ledger_takes_anything(kind, tensor):
    ledger = Ledger(Plan.of(list(STATISTICS)))
    ledger.take(kind, "it", View(tensor, ledger.workspace, batch=6, unit_axis=-1 if tensor.dim() else None))
    (row,) = ledger.statistics().values()
    for name, leaf in STATISTICS.items():
        assert (name in row) <= (kind in leaf.of)
        if kind in leaf.of and leaf.reduction is MOMENTS:
            assert name in row


def test_moments_are_reduced_first_so_that_others_can_look_at_them():
    for reductions in Plan.of(list(STATISTICS)).statistics.values():
        assert next(iter(reductions)) is MOMENTS


def test_core_statistics_are_always_there_and_others_are_asked_for():
    def names(plan):
        return {leaf.name for rows in plan.statistics.values() for leaves in rows.values() for leaf in leaves}

    core = {name for name, leaf in STATISTICS.items() if leaf.core}
    assert {"count", "mean", "std", "rms", "min", "max", "absmax", "zero_fraction", "nonfinite"} <= core
    assert names(Plan.of([])) == core
    assert names(Plan.of(["exponents"])) == core | {"exponents"}
    assert Plan.of(["weight_gradients"]).weight_gradients
    assert not Plan.of([]).weight_gradients


def test_moments_of_a_view_agree_with_the_reference():
    tensor = ODD["plain"]
    row = {name: leaf.value(View(tensor, Workspace()).moments) for name, leaf in STATISTICS.items()
           if leaf.reduction is MOMENTS}  # fmt: skip
    assert row == pytest.approx({name: float(value) for name, value in moments(tensor).items()}, rel=1e-6)
