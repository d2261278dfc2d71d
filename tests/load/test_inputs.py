import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from initprobe.errors import TargetError, UsageError
from initprobe.load.inputs import (
    SAMPLE_LIMIT,
    DrawnInputs,
    FunctionInputs,
    GivenInputs,
    InputSpec,
    as_call,
    parse_input,
)
from initprobe.subject import Call


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("3,224,224", InputSpec(None, (3, 224, 224))),
        ("16", InputSpec(None, (16,))),
        ("[16]", InputSpec(None, (16,))),
        ("[]", InputSpec(None, ())),
        (" x = float32[3, 32, 32] ", InputSpec("x", (3, 32, 32), dtype="float32")),
        ("x=4,5", InputSpec("x", (4, 5))),
        ("ids=int64[128]<50257", InputSpec("ids", (128,), "tokens", 50257, "int64")),
        ("[128]<10", InputSpec(None, (128,), "tokens", 10)),
        ("uint8[3,8,8]<256", InputSpec(None, (3, 8, 8), "tokens", 256, "uint8")),
    ],
)
def test_reads_both_forms(text, spec):
    assert parse_input(text) == spec


@pytest.mark.parametrize(
    "text", ["", "x=", "3x224", "3,,4", "a b=3", "[3", "3]", "3;4", "-3", "3.5", "9" * 6000, "３", "[3]<x"]
)
def test_shows_both_forms_when_it_cannot_read(text):
    with pytest.raises(UsageError) as caught:
        parse_input(text)
    assert "3,224,224" in caught.value.hint
    assert "int64[128]<50257" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ids=int64[128]", "int64 and has no bound"),
        ("float8[3]", "unknown dtype 'float8'"),
        ("float32[3]<5", "cannot be float32"),
        ("uint8[3]<257", "ends at 255"),
        ("3,0", "empty axis"),
        ("[3]<0", "at least 1"),
        ("[3]<" + "9" * 25, "beyond int64"),
        (f"{SAMPLE_LIMIT + 1}", "more than"),
        (",".join(["999999999999"] * 200), "more than"),
    ],
)
def test_says_what_contradicts(text, says):
    with pytest.raises(UsageError, match=says):
        parse_input(text)


def test_an_integer_without_a_bound_says_what_to_add():
    with pytest.raises(UsageError) as caught:
        parse_input("ids=int32[8]")
    assert "ids=int32[8]<50257" in caught.value.hint


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    try:
        spec = parse_input(text)
    except UsageError:
        return
    assert all(extent > 0 for extent in spec.shape)


def test_unnamed_inputs_are_positional_and_named_ones_keywords():
    inputs = DrawnInputs((parse_input("4"), parse_input("ids=int32[3]<7"), parse_input("2,2")))
    call = inputs.make(5, 0, torch.float64)
    assert [tuple(tensor.shape) for tensor in call.args] == [(5, 4), (5, 2, 2)]
    assert call.args[0].dtype == torch.float64
    assert call.kwargs["ids"].dtype == torch.int32
    assert call.kwargs["ids"].shape == (5, 3)
    assert inputs.fixed is None


def test_drawn_numbers_depend_on_the_seed_and_the_name_only():
    alone = DrawnInputs((parse_input("x=4"),)).make(3, 1, torch.float32)
    beside = DrawnInputs((parse_input("9"), parse_input("x=4"))).make(3, 1, torch.float32)
    other = DrawnInputs((parse_input("x=4"),)).make(3, 2, torch.float32)
    assert torch.equal(alone.kwargs["x"], beside.kwargs["x"])
    assert not torch.equal(alone.kwargs["x"], other.kwargs["x"])


def test_drawing_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    DrawnInputs((parse_input("4"), parse_input("[4]<9"))).make(3, 1, torch.float32)
    assert torch.equal(before, torch.get_rng_state())


def test_distributions_are_what_they_say():
    def draw(spec):
        return DrawnInputs((spec,)).make(4096, 0, torch.float32).args[0]

    normal, uniform = draw(InputSpec(None, (4,))), draw(InputSpec(None, (4,), "uniform"))
    tokens = draw(InputSpec(None, (4,), "tokens", 3))
    assert normal.std().item() == pytest.approx(1, abs=0.03)
    assert -1 <= uniform.min() < -0.99
    assert 0.99 < uniform.max() < 1
    assert set(tokens.unique().tolist()) == {0, 1, 2}
    assert tokens.dtype == torch.int64


def test_two_inputs_cannot_share_a_name():
    with pytest.raises(UsageError, match="two inputs are called 'x'"):
        DrawnInputs((parse_input("x=4"), parse_input("x=5")))


def test_given_tensors_keep_their_size_and_are_copied():
    mine = torch.ones(5, 3, dtype=torch.float64, requires_grad=True)
    ids = torch.zeros(5, dtype=torch.int32)
    inputs = GivenInputs(Call((mine, [ids, {"deep": mine}], "flag")))
    call = inputs.make(256, 0, torch.float16)
    assert inputs.fixed == 5
    assert call.args[0].dtype == torch.float16
    assert not call.args[0].requires_grad
    assert call.args[1][0].dtype == torch.int32
    assert call.args[1][1]["deep"].dtype == torch.float16
    assert call.args[2] == "flag"
    call.args[1][0].add_(1)
    assert ids.sum() == 0


def test_a_copy_is_made_even_where_no_cast_is_needed():
    mine = torch.ones(2)
    GivenInputs(Call((mine,))).make(2, 0, torch.float32).args[0].zero_()
    assert mine.sum() == 2


@pytest.mark.parametrize("value", [3, "x", (3, 224, 224), {}, {1: torch.ones(2)}, None, ()])
def test_inputs_without_tensors_are_told(value):
    with pytest.raises(TargetError, match=r"the inputs of build\(\) are no tensors"):
        as_call(value, "build()")


def test_tuples_are_arguments_and_mappings_keywords():
    tensor = torch.ones(1)
    assert as_call((tensor, 3), "f").args == (tensor, 3)
    assert as_call({"x": tensor}, "f").kwargs == {"x": tensor}


def test_a_batch_function_gets_what_it_can_take():
    def both(batch, seed):
        return torch.full((batch, 2), float(seed))

    def size_only(batch):
        return torch.ones(batch, 2)

    def nothing():
        return torch.ones(7, 2)

    def everything(*args):
        return torch.full((args[0], 1), float(args[1]))

    def make(function):
        return FunctionInputs(function, "f").make(3, 9, torch.float32).args[0]

    assert torch.equal(make(both), torch.full((3, 2), 9.0))
    assert len(make(size_only)) == 3
    assert len(make(nothing)) == 7
    assert torch.equal(make(everything), torch.full((3, 1), 9.0))
    assert FunctionInputs(both, "f").fixed is None
    assert FunctionInputs(nothing, "f").fixed == 7


def test_a_batch_function_that_draws_is_seeded_and_leaves_no_trace():
    def draws(batch):
        return torch.rand(batch, 2)

    inputs, before = FunctionInputs(draws, "f"), torch.get_rng_state()
    first, again, other = (inputs.make(3, seed, torch.float32).args[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())


def test_a_batch_function_that_fails_is_a_target_error():
    def fails(batch):
        raise OSError("no disk")

    with pytest.raises(TargetError, match=r"pkg:fails raised OSError: no disk") as caught:
        FunctionInputs(fails, "pkg:fails").make(3, 0, torch.float32)
    assert "in fails" in caught.value.trace
