"""The moments against the widest arithmetic there is, in every layout and at every scale."""

from __future__ import annotations

import math
from typing import ClassVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from initprobe.measure.moments import (
    BLOCK,
    EXACT,
    FAST,
    SMALL,
    Workspace,
    chunks,
    deferred_moments,
    plain_sum,
    products_by_row,
    row_products,
    square_sum,
    together,
)
from initprobe.measure.reductions import View, to_host
from initprobe.measure.statistics.base import STATISTICS
from tests.measure.layouts import LAYOUTS, RANGES, flats, laid_out, tensors
from tests.measure.reference import moments

WORKSPACE = Workspace()
NAMES = ("count", "nonfinite", "mean", "std", "rms", "min", "max", "absmax", "zero_fraction")
EXACTLY = ("count", "nonfinite", "min", "max", "absmax", "zero_fraction")
THOROUGH = settings(max_examples=400, deadline=None)
FEW = settings(max_examples=25, deadline=None)


def read(numbers):
    return {name: STATISTICS[name].value(numbers) for name in NAMES}


def measured(tensor):
    return read(View(tensor, WORKSPACE).moments)


def assert_right(found, tensor):
    expected = {name: float(value) for name, value in moments(tensor).items()}
    size = expected["rms"]
    for name, value in expected.items():
        if math.isnan(value):
            assert math.isnan(found[name]), name
        elif name in EXACTLY:
            assert found[name] == value, name
        elif name == "mean":
            assert abs(found[name] - value) <= 1e-6 * size
        else:
            # The last term is the rounding of a value itself, where all are equal.
            assert abs(found[name] - value) <= 1e-6 * value + 4e-16 * size, name


@THOROUGH
@given(tensors())
def test_moments_are_right(tensor):
    assert_right(measured(tensor), tensor)


@settings(max_examples=30, deadline=None)
@given(flats(sizes=(EXACT - 1, EXACT + 1, FAST - 12, FAST, FAST + 1, 2 * FAST + 12)), st.sampled_from(LAYOUTS))
def test_moments_are_right_over_several_chunks(flat, layout):
    tensor = laid_out(flat, layout)
    assert_right(measured(tensor), tensor)


@pytest.mark.parametrize("products", [products_by_row, row_products])
@pytest.mark.parametrize("value", [1.0, 0.1, 1 / 3, 1.0078125, 3e-11, 7e14])
@pytest.mark.parametrize("layout", ["contiguous", "expanded", "stepped"])
def test_rounding_the_same_way_again_and_again_does_not_go_far(value, layout, products, monkeypatch):
    monkeypatch.setattr("initprobe.measure.moments.row_products", products)
    flat = torch.full((9 * BLOCK + 7,), value)
    flat[::4] *= -1
    tensor = laid_out(flat, layout)
    assert_right(measured(tensor), tensor)
    exact = flat.double()
    assert square_sum(flat.numpy()) == pytest.approx(exact.square().sum().item(), rel=1e-6)
    assert plain_sum(flat.numpy()) == pytest.approx(exact.sum().item(), rel=1e-6)


@FEW
@given(flats(dtypes=(torch.float64,), offset=1e8))
def test_float64_keeps_a_small_spread_on_a_large_mean(flat):
    assert_right(measured(flat), flat)


@FEW
@given(flats(dtypes=(torch.float32, torch.float64)), st.booleans(), st.booleans())
def test_complex_values_count_as_two_real_ones(flat, conjugate, negative):
    tensor = torch.complex(flat, flat.flip(0))
    tensor = tensor.conj() if conjugate else tensor
    tensor = tensor.imag if negative else tensor
    assert_right(measured(tensor), tensor)


@pytest.mark.parametrize("dtype", list(RANGES))
@pytest.mark.parametrize("size", [1, 3, 1000, EXACT + 1, FAST + 1])
@pytest.mark.parametrize("value", [0.0, 1.0, -3.0, 0.1, 6e4])
def test_a_constant_has_no_spread(value, size, dtype):
    tensor = torch.full((size,), value, dtype=dtype)
    found = measured(tensor)
    assert found["std"] <= 4e-16 * abs(value)
    assert_right(found, tensor)


@pytest.mark.parametrize("value", [5e-324, 1e-310, 1e-200, 1e-150, 1e140, 1e154, 1e200, 1.7e308])
def test_squares_of_float64_never_leave_its_range(value):
    tensor = torch.tensor([value, -value, value / 2, 0.0, value], dtype=torch.float64)
    assert_right(measured(tensor), tensor)
    assert_right(read(deferred_moments(tensor).tolist()), tensor)


@pytest.mark.parametrize("value", [1e-45, 1e-40, 1e-38, 1e-30, 1e-23, 1e-19, 1e19, 1e25, 1e37, 3.4e38])
@pytest.mark.parametrize("size", [5, FAST + 5])
def test_squares_of_float32_never_leave_the_range_either(value, size):
    tensor = torch.full((size,), value)
    tensor[0] = -value
    assert_right(measured(tensor), tensor)


@pytest.mark.parametrize("fill", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("size", [1, 7, FAST + 3])
def test_where_nothing_is_finite_only_the_counts_are_numbers(fill, size):
    found = measured(torch.full((size,), fill))
    assert (found["count"], found["nonfinite"]) == (size, size)
    assert all(math.isnan(value) for name, value in found.items() if name not in {"count", "nonfinite"})


def test_one_bad_chunk_does_not_spoil_the_others():
    tensor = torch.randn(3 * FAST)
    tensor[FAST + 5] = math.nan
    tensor[2 * FAST :] *= 1e30
    assert_right(measured(tensor), tensor)


def test_without_extremes_the_moments_stay_the_same():
    tensor = torch.randn(FAST + 77)
    plain, short = View(tensor, WORKSPACE).moments, View(tensor, WORKSPACE, extremes=False).moments
    assert plain[:4] == short[:4]


def test_threads_change_no_bit_of_one_exact_chunk_and_nothing_to_speak_of_elsewhere():
    tensor = torch.randn(2 * FAST + 5)
    threads = torch.get_num_threads()
    found = []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            found.append([View(one, WORKSPACE).moments for one in (tensor, tensor.double(), tensor * 1e30)])
    finally:
        torch.set_num_threads(threads)
    (fast, *exact), (fast_again, *exact_again) = found
    assert exact == exact_again
    assert fast == pytest.approx(fast_again, rel=1e-6)


def test_other_defaults_of_torch_change_nothing():
    tensor = torch.randn(1000)
    expected = View(tensor, WORKSPACE).moments
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            assert View(tensor, Workspace()).moments == expected
    finally:
        torch.set_default_dtype(torch.float32)


@THOROUGH
@given(tensors())
def test_deferred_moments_are_right(tensor):
    assert_right(read(deferred_moments(tensor).tolist()), tensor)


class Looks(torch.utils._python_dispatch.TorchDispatchMode):
    """Counts what would make an accelerator wait: numbers and shapes that depend on values."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name in {"_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal"}:
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


def test_deferred_moments_look_at_no_value():
    with Looks() as looks:
        deferred_moments(torch.randn(100))
        assert looks.seen == []
        View(torch.randn(100).double(), WORKSPACE).moments  # noqa: B018 the path on the CPU does look
        assert looks.seen != []


@pytest.mark.parametrize("name", list(STATISTICS))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_no_reduction_looks_at_a_value_off_the_cpu(name, dtype):
    tensor = torch.empty(6, 4, 3, dtype=dtype, device="meta")  # it has no values to look at
    axis = -1 if name == "token_residual" else -2  # tokens lie before their features
    view = View(tensor, WORKSPACE, batch=6, unit_axis=axis, on_stream=True, weighted=True, can_die=True, step_axis=1)
    view.flat = (-0.9, 0.9)
    reduction = STATISTICS[name].reduction
    assert reduction.applies is None or reduction.applies(view)
    result = reduction.run(view)
    assert isinstance(result, torch.Tensor)
    assert result.device.type == "meta"
    assert result.dim() == 1


class Fetched(torch.Tensor):
    """Counts its journeys to the host."""

    journeys: ClassVar[list[str]] = []

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func.__name__ in {"tolist", "item", "cpu", "to", "numpy", "__float__", "__bool__"}:
            cls.journeys.append(func.__name__)
        return super().__torch_function__(func, types, args, kwargs or {})


def test_everything_comes_home_in_one_transfer():
    Fetched.journeys.clear()
    away = [torch.arange(n, dtype=torch.float64).as_subclass(Fetched) for n in (3, 1, 4)]
    homes = to_host([away[0], [7.0], away[1], away[2]])
    assert Fetched.journeys == ["tolist"]
    assert homes == [[0, 1, 2], [7], [0], [0, 1, 2, 3]]


def test_what_is_home_already_is_not_fetched():
    assert to_host([[1.0], [2.0, 3.0]]) == [[1.0], [2.0, 3.0]]
    assert to_host([]) == []


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(1, 7), min_size=0, max_size=5).flatmap(
        lambda shape: st.tuples(st.just(shape), st.permutations(range(len(shape))))
    ),
    st.data(),
)
def test_chunks_cover_every_element_once(plan, data):
    shape, order = plan
    tensor = torch.arange(math.prod(shape)).reshape(shape).permute(order)
    for axis in range(tensor.dim()):
        kind = data.draw(st.sampled_from(["whole", "step", "narrow", "repeat", "repeat"]))
        if kind == "step":
            tensor = tensor[(slice(None),) * axis + (slice(None, None, 2),)]
        elif kind == "narrow":
            tensor = tensor.narrow(axis, 0, max(1, tensor.shape[axis] - 1))
        elif kind == "repeat" and tensor.shape[axis] == 1:
            tensor = tensor.expand(*tensor.shape[:axis], 3, *tensor.shape[axis + 1 :])
    size = data.draw(st.integers(1, 50))
    parts = list(chunks(tensor, size))
    assert all(part.dim() == 1 and 0 < part.numel() <= size for part in parts)
    assert torch.cat(parts).sort().values.tolist() == tensor.reshape(-1).sort().values.tolist()


def test_chunks_of_large_strided_tensors_copy_little():
    tensor = torch.zeros(1, 64, 1000)[:, :, :400]
    assert max(part.untyped_storage().nbytes() for part in chunks(tensor, 1000)) <= 4 * 1000


@pytest.mark.parametrize("offset", [0.0, 3.0])
def test_a_negated_view_is_read_like_any_other(offset):
    tensor = torch._neg_view(torch.randn(1000).relu() + offset)
    assert tensor.is_neg()
    assert_right(measured(tensor), tensor.resolve_neg())


@FEW
@given(st.lists(flats(dtypes=(torch.float32, torch.bfloat16), sizes=(1, 7, 48)), min_size=1, max_size=12))
def test_small_tensors_taken_together_are_what_they_are_alone(given):
    for tensor, found in zip(given, together(given), strict=True):
        if found is not None:
            assert_right({**read(found), **extremes_of(tensor)}, tensor)


def extremes_of(tensor):
    """What is not asked for of parameters."""
    row = measured(tensor)
    return {name: row[name] for name in ("min", "max", "absmax", "zero_fraction")}


def test_what_float32_cannot_square_is_left_out_of_the_crowd():
    ordinary, huge, constant = torch.randn(64), torch.full((64,), 1e30), torch.ones(64)
    odd = torch.tensor([float("nan")] * 64)
    found = together([ordinary, huge, constant, odd, torch.randn(64).double(), torch.randn(SMALL + 1)])
    assert [one is not None for one in found] == [True, False, False, False, False, False]
