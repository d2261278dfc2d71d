"""Which tensor is which weight."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from initprobe.errors import TargetError, UsageError
from initprobe.load.fitting import LONGEST, load_weights

HOSTILE = "x\n::error::<script>alert(1)</script>\x1b[31m[bold red]\u202e"


class Inner(nn.Module):
    def __init__(self, width=3):
        super().__init__()
        self.first, self.norm = nn.Linear(width, width), nn.BatchNorm1d(width)
        self.head = nn.Linear(width, width, bias=False)


class Tied(Inner):
    def __init__(self):
        super().__init__()
        self.head.weight = self.first.weight


class Wrapped(nn.Module):
    def __init__(self, name, inner):
        super().__init__()
        self.add_module(name, inner)


def filled(model, value=2.0):
    """Its state dict with every number the same."""
    return {name: torch.full_like(tensor, value) for name, tensor in model.state_dict().items()}


def load(model, tensors):
    load_weights(model, tensors, file="net.pt", name="net.py:build")
    return model


def misfit(model, tensors):
    with pytest.raises(UsageError) as caught:
        load(model, tensors)
    assert str(caught.value).startswith("'net.pt' does not fit net.py:build\n")
    return caught.value


def all_are(model, value):
    return all(bool((parameter == value).all()) for parameter in model.parameters())


# --- what fits


def test_every_weight_and_every_buffer_is_copied():
    model = load(Inner(), filled(Inner()))
    assert all_are(model, 2)
    assert (model.norm.running_var == 2).all()
    assert model.norm.num_batches_tracked == 2


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod.", "model.module.", "model.model."]
)
def test_prefixes_of_wrappers_are_understood(prefix):
    tensors = {prefix + name: tensor for name, tensor in filled(Inner()).items()}
    assert all_are(load(Inner(), tensors), 2)


def test_a_wrapper_around_one_module_too():
    tensors = {name.replace("first.", "first._orig_mod."): tensor for name, tensor in filled(Inner()).items()}
    assert all_are(load(Inner(), tensors), 2)


@pytest.mark.parametrize("name", ["module", "_orig_mod", "model"])
def test_the_model_may_be_the_wrapped_one(name):
    assert all_are(load(Wrapped(name, Inner()), filled(Inner())), 2)


@pytest.mark.parametrize("name", ["module", "model"])
def test_exact_names_come_first(name):
    model = Wrapped(name, Inner())
    assert all_are(load(model, filled(model)), 2)
    assert all_are(load(Wrapped(name, model), {f"{name}.{key}": value for key, value in filled(model).items()}), 2)


def test_a_wrapper_that_would_make_two_names_one_is_none():
    model = nn.ModuleDict({"module": nn.Linear(2, 2), "other": nn.Linear(2, 2)})
    tensors = {"module.weight": torch.ones(2, 2), "weight": torch.zeros(2, 2)}
    assert "'weight'" in str(misfit(model, tensors))


@pytest.mark.parametrize("kept", ["first.weight", "head.weight"])
def test_a_tied_weight_may_have_either_name(kept):
    tensors = filled(Tied())
    tensors = {name: value for name, value in tensors.items() if name == kept or "weight" not in name or "norm" in name}
    model = load(Tied(), tensors)
    assert model.head.weight is model.first.weight
    assert all_are(model, 2)


def test_a_tied_weight_may_have_both_names_and_not_a_number():
    tensors = filled(Tied())
    tensors["head.weight"], tensors["first.weight"] = torch.full((3, 3), math.nan), torch.full((3, 3), math.nan)
    assert torch.isnan(load(Tied(), tensors).head.weight).all()


def test_precision_is_the_models():
    halves = {name: tensor.half() for name, tensor in filled(Inner()).items()}
    model = load(Inner().double(), halves)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float64}
    assert all_are(model, 2)
    assert model.norm.num_batches_tracked.dtype == torch.int64


def test_a_counter_may_be_missing_and_a_buffer_that_is_not_saved_may_be_there():
    model = Inner()
    model.register_buffer("positions", torch.arange(3), persistent=False)
    tensors = {**filled(Inner()), "positions": torch.zeros(3)}
    del tensors["norm.num_batches_tracked"]
    load(model, tensors)
    assert model.positions.tolist() == [0, 1, 2]


def test_extra_state_is_no_weight():
    class Extra(nn.Linear):
        def get_extra_state(self):
            return torch.ones(1)

        def set_extra_state(self, state):
            pass

    tensors = {"weight": torch.ones(2, 2), "bias": torch.ones(2)}
    assert all_are(load(Extra(2, 2), tensors), 1)


def test_names_that_a_model_translates_itself():
    model = parametrizations.weight_norm(nn.Linear(3, 2))
    load(model, {"bias": torch.ones(2), "weight_g": torch.full((2, 1), 5.0), "weight_v": torch.ones(2, 3)})
    assert torch.allclose(model.weight.norm(dim=1), torch.tensor(5.0))


def test_lazy_layers_take_their_shape_from_it():
    model = nn.LazyLinear(2)
    load(model, {"weight": torch.ones(2, 3), "bias": torch.ones(2)})
    assert model.weight.shape == (2, 3)


# --- what does not


def test_missing_names_have_close_matches():
    tensors = filled(Inner())
    tensors["frist.weight"] = tensors.pop("first.weight")
    text = str(misfit(Inner(), tensors))
    assert "missing:    'first.weight' (the file has 'frist.weight')" in text
    assert "unexpected: 'frist.weight'" in text


def test_a_name_that_has_its_place_is_no_close_match():
    tensors = filled(Inner())
    del tensors["first.weight"]
    error = misfit(Inner(), tensors)
    assert str(error).splitlines()[1:] == ["  missing:    'first.weight'"]
    assert "loaded whole, or not at all" in error.hint


def test_an_unexpected_name_alone():
    error = misfit(Inner(), {**filled(Inner()), "more": torch.ones(1)})
    assert str(error).splitlines()[1:] == ["  unexpected: 'more'"]
    assert "without the others" in error.hint


def test_another_shape():
    error = misfit(Inner(), filled(Inner(width=4)))
    assert "shape:      'first.weight' is float32[4, 4] in the file and float32[3, 3] in the model" in str(error)
    assert str(error).endswith(" and 4 more")
    assert "the sizes" in error.hint


@pytest.mark.parametrize(
    ("name", "tensor", "told"),
    [
        ("first.bias", torch.ones(3, dtype=torch.complex64), "complex64[3]"),
        ("first.bias", torch.ones(3, dtype=torch.int8), "int8[3]"),
        ("norm.num_batches_tracked", torch.tensor(0.5), "float32[]"),
        ("norm.num_batches_tracked", torch.tensor(math.nan), "float32[]"),
    ],
)
def test_another_kind_of_numbers(name, tensor, told):
    assert f"{name!r} is {told} in the file" in str(misfit(Inner(), {**filled(Inner()), name: tensor}))


def test_a_tie_that_the_file_does_not_have():
    tensors = filled(Tied())
    tensors["head.weight"] = tensors["head.weight"] + 1
    assert "tied:       'first.weight' and 'head.weight', which differ in the file" in str(misfit(Tied(), tensors))


def test_all_problems_are_told_at_once_and_few_names_of_each():
    tensors = filled(Inner())
    tensors["first.bias"] = torch.ones(7)
    del tensors["head.weight"]
    tensors.update({f"extra.{number}": torch.ones(1) for number in range(1000)})
    lines = str(misfit(Inner(), tensors)).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["missing:", "unexpected:", "shape:"]
    assert lines[2].endswith(" and 997 more")
    assert max(map(len, lines)) < 300


def test_hostile_names_are_harmless():
    error = misfit(Inner(), {**filled(Inner()), HOSTILE: torch.ones(1), "y" * 100_000: torch.ones(1)})
    text = error.render()
    assert all(character.isprintable() or character == "\n" for character in text)
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    assert r"'x\n::error::<script>alert(1)</script>\x1b[31m[bold red]\u202e'" in text
    assert len(text) < LONGEST * 6


def test_what_torch_cannot_copy_is_told():
    tensors = {**filled(Inner()), "first.weight": torch.eye(3).to_sparse()}
    with pytest.raises(UsageError, match=r"'net.pt' cannot be copied into net.py:build: .*first.weight"):
        load(Inner(), tensors)


def test_a_model_that_fails_to_load_is_the_users():
    class Picky(Inner):
        def _load_from_state_dict(self, *args):
            raise ValueError("not today")

    with pytest.raises(TargetError, match=r"loading net\.pt into net.py:build raised ValueError: not today"):
        load(Picky(), filled(Inner()))
