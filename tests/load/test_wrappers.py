"""Compiled and spread models are probed as they were written, under their own names."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.load.wrappers import unwrapped
from tests.zoo.odd_models import Reused, mlp


def compiled(model):
    return torch.compile(model, backend="eager")


def called(model):
    model(torch.randn(2, 6))
    return model


def compiled_in_place():
    model = mlp()
    model.compile(backend="eager")
    return called(model)


NAMES = ["0", "1", "2", "3", "4", "5", "6"]


@pytest.mark.parametrize(
    ("build", "names"),
    [
        (lambda: compiled(mlp()), NAMES),
        (lambda: called(compiled(mlp())), NAMES),
        (lambda: nn.DataParallel(mlp()), NAMES),
        (lambda: compiled(nn.DataParallel(mlp())), NAMES),
        (lambda: nn.DataParallel(compiled(mlp())), NAMES),
        (compiled_in_place, NAMES),
        (
            lambda: nn.Sequential(nn.Linear(6, 6), compiled(nn.Sequential(compiled(mlp(1))))),
            ["0", "1.0.0", "1.0.1", "1.0.2"],
        ),
    ],
)
@pytest.mark.parametrize("instance", [False, True])
def test_layers_have_the_names_that_they_were_written_with(build, names, instance):
    result = ip.probe(build() if instance else build, inputs="6", batch=4, seeds=1, max_seeds=1)
    assert list(result.sites) == names
    assert all(site.backward for site in result.sites.values())
    assert not [weight.weight.name for weight in result.entry.weights if "mod" in weight.weight.name]


def test_the_users_model_stays_wrapped():
    model = nn.Sequential(compiled(mlp(1)))
    inner = model[0]
    ip.probe(model, inputs="6", batch=4)
    assert model[0] is inner


def test_what_is_not_wrapped_is_handed_on():
    model = Reused()
    assert unwrapped(model) is model


def test_a_part_that_stands_in_two_places_is_taken_out_of_both():
    part = compiled(nn.Linear(6, 6))
    model = unwrapped(nn.Sequential(part, nn.Sequential(part)))
    assert type(model[0]) is nn.Linear
    assert model[0] is model[1][0]


def doubly(model):
    return nn.DataParallel(compiled(model))


def partly(model):
    model[0] = compiled(model[0])
    return model


@pytest.mark.parametrize("wrap", [compiled, nn.DataParallel, doubly, partly])
@pytest.mark.parametrize("scheme", ["kaiming_normal", "lsuv", "mup(base_width=2)"])
def test_wrapped_models_are_drawn_like_bare_ones(wrap, scheme):
    bare, wrapped = mlp(), wrap(mlp())
    expected = ip.initialize(bare, scheme, inputs="6")
    parts = list(wrapped.modules())
    outcome = ip.initialize(wrapped, scheme, inputs="6")
    assert outcome == expected
    assert {one.weight for one in outcome.drawn} == dict(bare.named_parameters()).keys()
    assert all(a is b for a, b in zip(wrapped.modules(), parts, strict=True))
    for drawn, like in zip(wrapped.parameters(), bare.parameters(), strict=True):
        torch.testing.assert_close(drawn, like)
    groups = ip.parameter_groups(wrapped, outcome, lr=1.0)
    assert [len(group["params"]) for group in groups] == [
        len(group["params"]) for group in ip.parameter_groups(bare, expected, lr=1.0)
    ]
    assert {id(one) for group in groups for one in group["params"]} == {id(one) for one in wrapped.parameters()}


def test_a_wrapped_source_has_the_names_that_it_was_written_with():
    narrow, wide = mlp(), mlp()
    ip.initialize(wide, "net2net", inputs="6", source=nn.DataParallel(compiled(narrow)))
    for drawn, given in zip(wide.parameters(), narrow.parameters(), strict=True):
        torch.testing.assert_close(drawn, given)
